# shellcheck shell=bash
# The back end for releases: everything from source, by Buildroot with the tree in buildroot/.
# To source after lib.sh, steps.sh and image.sh, from the top folder.
# shellcheck disable=SC2154 # `model`, `output` and `sources` are set by scripts/build-image.

source scripts/crates.sh # crates_vendor
source scripts/legal.sh # buildroot_legal
source scripts/buildroot.sh # build, buildroot, buildroot_checked, buildroot_environment, buildroot_run

buildroot_packages() {
  packages build-essential bc cpio file git libelf-dev patch perl python3 rsync unzip wget
  [[ -z $sources ]] || packages m4 bison flex gawk kmod patchelf pkgconf fakeroot cmake \
    gcc-12 binutils
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
  mkdir --parents "$build"/skeleton/{bin,sbin,lib,usr/{bin,sbin,lib}}
  [[ -z $sources ]] || toolchain=debian
  cat buildroot/configs/{common,"toolchain-$toolchain"}.fragment \
    "buildroot/configs/jumpgate_${model/-/_}_defconfig" >"$build/defconfig"
  "${buildroot_make[@]}" "BR2_DEFCONFIG=$build/defconfig" defconfig
  sed 's/^\(.*\)=n$/# \1 is not set/' "$build/defconfig" >"$build/asked"
  buildroot/config-check "$build/asked" "$build/.config"
}

buildroot_results() {
  local file
  # Packing can change modes after post-build.sh has looked at them.
  file=$("$build/host/bin/unsquashfs" -lln "$build/images/rootfs.squashfs" |
    grep --extended-regexp '^(...|......)[sS]|^[^l].......w' || true)
  [[ -z $file ]] || die "the packed root has what it must not have: $file"
  cp "$build"/images/{bzImage,init,rootfs.squashfs} "$output/"
  # What scripts/build-image --with debian leaves there.
  rm --recursive --force "$output/modules"
}

compose() {
  buildroot_packages
  stage "Buildroot $BUILDROOT_TAG" buildroot_checked
  buildroot_environment
  stage "configuration" buildroot_configuration
  : >"$build/log"
  # The sources of this package are ours: Buildroot does not see when they change.
  shown=1 stage "packages and root" buildroot_run jumpgate-programs-rebuild all
  stage "results" buildroot_results
  stage "legal information" buildroot_legal
  buildroot/times "$build/steps" >"$output/build-times"
  # The GRUB that was built, not the distribution's: board/common/disk.sh.
  JUMPGATE_GRUB_MODULES=$(echo "$build"/build/grub2-*/build-x86_64-efi/grub-core)
  export JUMPGATE_GRUB_MODULES JUMPGATE_GRUB_MKIMAGE=$build/host/bin/grub-mkimage
}
