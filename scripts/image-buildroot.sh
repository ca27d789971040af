# shellcheck shell=bash
# The back end for releases: everything from source, by Buildroot with the tree in buildroot/.
# To source after lib.sh, steps.sh and image.sh, from the top folder.
# shellcheck disable=SC2154 # `model`, `output` and `sources` are set by scripts/build-image.

source scripts/crates.sh # crates_vendor
source buildroot/release # BUILDROOT_TAG, BUILDROOT_COMMIT, BUILDROOT_TREE, BUILDROOT_SITE

# One for all models: they differ in nothing that is compiled.
build=$PWD/output/buildroot

buildroot_packages() {
  packages build-essential bc cpio file git libelf-dev patch perl python3 rsync unzip wget
  [[ -z $sources ]] || packages m4 bison flex gawk kmod patchelf pkgconf fakeroot gcc-12 binutils
}

# Buildroot itself, exactly the release that the tree was made for.
buildroot_checked() {
  buildroot=${BUILDROOT_DIR:-$PWD/output/buildroot-$BUILDROOT_TAG}
  if [[ ! -e $buildroot/Makefile ]]; then
    [[ -z ${BUILDROOT_DIR-} ]] || die "BUILDROOT_DIR is '$BUILDROOT_DIR', where no Buildroot is"
    git clone --quiet --depth 1 --branch "$BUILDROOT_TAG" "$BUILDROOT_SITE" "$buildroot"
  fi
  local is wanted=$BUILDROOT_TREE
  if [[ -e $buildroot/.git ]]; then
    is=$(git -C "$buildroot" rev-parse HEAD) wanted=$BUILDROOT_COMMIT
    [[ -z $(git -C "$buildroot" status --porcelain) ]] || die "$buildroot has changes"
  else
    git init --quiet --bare "$steps_work/tree"
    is=$(cd "$buildroot" && export GIT_DIR=$steps_work/tree GIT_WORK_TREE=. &&
      git add --all --force . && git write-tree)
  fi
  [[ $is == "$wanted" ]] || die "$buildroot is not Buildroot $BUILDROOT_TAG: $is, expected $wanted"
}

# What the Makefiles of buildroot/ read. SOURCE_DATE_EPOCH becomes the time of the root's files.
buildroot_environment() {
  export JUMPGATE_SOURCES=$sources JUMPGATE_HASHES=$build/hashes
  export JUMPGATE_CRATES=${sources:-$build}/crates
  export SOURCE_DATE_EPOCH=$JUMPGATE_BUILT BR2_DL_DIR=$build/download
  export BR2_INSTRUMENTATION_SCRIPTS=$PWD/buildroot/instrument
  [[ $EUID -ne 0 ]] || export FORCE_UNSAFE_CONFIGURE=1
  buildroot_make=(make --no-print-directory -C "$buildroot" "O=$build" "BR2_EXTERNAL=$PWD/buildroot")
}

# Replaces the programs of a development image: here only what Buildroot builds them from.
image_programs() {
  mkdir --parents "$build"
  crates_vendor "${sources:-$build}/crates"
}

buildroot_configuration() {
  local toolchain=buildroot package file hash
  # Its own form of what buildroot/sources says.
  rm --recursive --force "$build/hashes"
  while read -r package _ _ _ file hash; do
    [[ $package == [a-z]* ]] || continue
    mkdir --parents "$build/hashes/$package"
    echo "sha256  $hash  $file" >>"$build/hashes/$package/$package.hash"
  done <buildroot/sources
  [[ -z $sources ]] || toolchain=debian
  cat buildroot/configs/{common,"toolchain-$toolchain"}.fragment \
    "buildroot/configs/jumpgate_${model/-/_}_defconfig" >"$build/defconfig"
  "${buildroot_make[@]}" "BR2_DEFCONFIG=$build/defconfig" defconfig
  sed 's/^\(.*\)=n$/# \1 is not set/' "$build/defconfig" >"$build/asked"
  buildroot/config-check "$build/asked" "$build/.config"
}

# buildroot_run TARGET…: everything goes to a log; here, each step of a package with its time.
buildroot_run() {
  local began=$SECONDS
  "${buildroot_make[@]}" "$@" 2>&1 | tee --append "$build/log" |
    sed --unbuffered --quiet 's/\x1b[^m]*m//g; s/^>>> //p' |
    while read -r line; do printf '%8s  %s\n' "$(date --utc --date="@$((SECONDS - began))" +%H:%M:%S)" "$line"; done ||
    { tail --lines=40 "$build/log" && die "Buildroot failed; $build/log has all of it"; }
}

buildroot_results() {
  cp "$build/images/bzImage" "$build/images/init" "$build/images/rootfs.squashfs" "$output/"
  # None of what scripts/build-image --with debian leaves there.
  rm --recursive --force "$output/modules"
}

compose() {
  buildroot_packages
  stage "Buildroot $BUILDROOT_TAG" buildroot_checked
  buildroot=${BUILDROOT_DIR:-$PWD/output/buildroot-$BUILDROOT_TAG}
  buildroot_environment
  stage "configuration" buildroot_configuration
  : >"$build/log"
  # The sources of this package are ours: Buildroot does not see when they change.
  shown=1 stage "packages and root" buildroot_run jumpgate-programs-rebuild all
  stage "results" buildroot_results
}
