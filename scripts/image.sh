# shellcheck shell=bash
# What both back ends of scripts/build-image share.
# To source after lib.sh and steps.sh; needs model, backend, output, keys, sequence.
# shellcheck disable=SC2154 # They are set by scripts/build-image.

# Runs a step that those after it need.
stage() {
  step "$@"
  [[ ${#steps_failed[@]} -eq 0 ]] || exit 1
}

image_packages() {
  packages gnupg sbsigntool grub-common grub-efi-amd64-bin mtools dosfstools e2fsprogs fdisk \
    squashfs-tools cryptsetup-bin cpio zstd kmod
  PATH=$PATH:/usr/sbin:/sbin
  need gpg sbsign grub-mkimage mcopy mkfs.vfat mke2fs sfdisk mksquashfs veritysetup cpio zstd depmod
}

# Says what this image is; board/common/post-*.sh read it. Only what the commit fixes, so that the
# same commit gives the same image.
identity() {
  local changed version
  changed=$(git status --porcelain 2>/dev/null || true)
  version=$(sed --quiet '0,/^version/ s/^version = "\(.*\)"/\1/p' Cargo.toml)
  JUMPGATE_COMMIT=$(git rev-parse --short=12 HEAD)${changed:+-changed}
  JUMPGATE_VERSION=$version+${JUMPGATE_COMMIT:0:7}${changed:+-changed}
  JUMPGATE_BUILT=$(git log --max-count=1 --format=%ct)
  JUMPGATE_SEQUENCE=${sequence:-$((JUMPGATE_BUILT / 60))}
  # shellcheck source=/dev/null
  JUMPGATE_EPOCH=$(source board/common/board.env && echo "$SECURITY_EPOCH")
  # shellcheck source=/dev/null
  JUMPGATE_PROFILE=$(source "board/$model/board.env" && echo "$PROFILE")
  JUMPGATE_SCHEMA=$(find src/store/migrations -name '*.sql' | wc --lines)
  JUMPGATE_CHANNEL=$(<"$keys/channel")
  [[ $JUMPGATE_CHANNEL =~ ^(development|release)$ ]] ||
    die "$keys/channel says '$JUMPGATE_CHANNEL', expected development or release"
  # What was not built from source is no release, whoever signs it.
  [[ $backend == buildroot ]] || JUMPGATE_CHANNEL=development
  JUMPGATE_BACKEND=$backend JUMPGATE_KEYS=$keys BINARIES_DIR=$output
  export JUMPGATE_COMMIT JUMPGATE_VERSION JUMPGATE_BUILT JUMPGATE_SEQUENCE JUMPGATE_EPOCH \
    JUMPGATE_SCHEMA JUMPGATE_PROFILE JUMPGATE_CHANNEL JUMPGATE_BACKEND JUMPGATE_KEYS BINARIES_DIR
  say "Jumpgate $JUMPGATE_VERSION for $model, $JUMPGATE_CHANNEL, with $backend"
}

image_programs() {
  build_release
  build_init
}

# Puts the programs where the image has them: image_install TARGET
image_install() {
  local home=$1/usr/lib/jumpgate built=$CARGO_TARGET_DIR/release
  mkdir --parents "$home/programs" "$home/endpoint"
  install --mode=0755 "$built"/{supervisor,relay,web,appliancectl,update-agent} "$home/programs/"
  install --mode=0755 "$built/endpoint" "$home/endpoint/endpoint"
  install --mode=0755 "$built/init" "$home/init"
}

# Packs a target tree: image_root TARGET
image_root() {
  rm --force "$output/rootfs.squashfs"
  mksquashfs "$1" "$output/rootfs.squashfs" -quiet -no-progress -all-root -noappend -no-xattrs \
    -comp zstd -Xcompression-level 9 -b 128K -mkfs-time "$JUMPGATE_BUILT" -all-time "$JUMPGATE_BUILT"
}

# What hypervisors take, of a virtual size: a disk as large as they are asked to give, which the data
# partition fills at first boot.
image_formats() {
  [[ $JUMPGATE_PROFILE != hardware ]] || return 0
  packages qemu-utils python3
  need qemu-img python3
  stage "appliance.qcow2" image_qcow2
  stage "appliance.ova" image_ova
}

image_qcow2() {
  # shellcheck source=board/va-s/board.env
  source "board/$model/board.env"
  qemu-img convert -c -f raw -O qcow2 "$output/appliance.img" "$output/appliance.qcow2.part"
  qemu-img resize -q -f qcow2 "$output/appliance.qcow2.part" "${DISK_GIB}G"
  mv "$output/appliance.qcow2.part" "$output/appliance.qcow2"
}

image_ova() {
  # shellcheck source=board/va-s/board.env
  source "board/$model/board.env"
  local mark=''
  [[ $JUMPGATE_CHANNEL == release ]] || mark=" ($JUMPGATE_CHANNEL)"
  board/common/vmdk.py "$output/appliance.img" "$DISK_GIB" "$steps_work/appliance.vmdk"
  board/common/ova.py "$steps_work/appliance.vmdk" "$output/appliance.ova.part" \
    --name "Jumpgate $PRODUCT$mark" --version "$JUMPGATE_VERSION" --built "$JUMPGATE_BUILT" \
    --cpus "$CPUS" --memory-mib "$MEMORY_MIB" --disk-gib "$DISK_GIB"
  mv "$output/appliance.ova.part" "$output/appliance.ova"
  rm "$steps_work/appliance.vmdk"
}
