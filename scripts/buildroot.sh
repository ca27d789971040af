# shellcheck shell=bash
# Buildroot itself: which, from where, and how it is run.
# To source from scripts/image-buildroot.sh, from the top folder; needs sources, a folder or nothing.
# shellcheck disable=SC2154 # That.

source buildroot/release # BUILDROOT_TAG, BUILDROOT_COMMIT, BUILDROOT_TREE, BUILDROOT_SITE

buildroot=${BUILDROOT_DIR:-$PWD/output/buildroot-$BUILDROOT_TAG}
# One for all models: they differ in nothing that is compiled.
build=$PWD/output/buildroot

# Buildroot itself, exactly the release that the tree was made for.
buildroot_checked() {
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
  export JUMPGATE_SOURCES=$sources JUMPGATE_HASHES=$build/hashes \
    JUMPGATE_CRATES=${sources:-$build}/crates
  export SOURCE_DATE_EPOCH=$JUMPGATE_BUILT BR2_DL_DIR=$build/download
  export BR2_INSTRUMENTATION_SCRIPTS=$PWD/buildroot/instrument
  [[ $EUID -ne 0 ]] || export FORCE_UNSAFE_CONFIGURE=1
  buildroot_make=(make --no-print-directory -C "$buildroot" "O=$build" "BR2_EXTERNAL=$PWD/buildroot")
  # Buildroot wants tar 1.35 for archives that it packs itself, and packs none with these sources.
  [[ -z $sources ]] || buildroot_make+=(TAR=tar BR2_TAR_HOST_DEPENDENCY=)
}

# buildroot_run TARGET…: everything goes to a log; here, each step of a package with its time.
buildroot_run() {
  local began=$SECONDS line
  "${buildroot_make[@]}" "$@" 2>&1 | tee --append "$build/log" |
    sed --unbuffered --quiet 's/\x1b[^m]*m//g; s/^>>> //p' |
    while read -r line; do TZ=UTC printf '  %(%T)T  %s\n' $((SECONDS - began)) "$line"; done ||
    { tail --lines=40 "$build/log" && die "Buildroot failed; $build/log has all of it"; }
}
