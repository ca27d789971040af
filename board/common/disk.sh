# shellcheck shell=bash
# Boot loader, file systems and the disk around them.
# To source from post-image.sh, in its folder and with its variables.
# shellcheck disable=SC2154 # Those.

# The boot loader, its configuration and the public key in one signed file: make_loader CONFIG OUTPUT
make_loader() {
  local modules=(part_gpt fat memdisk tar normal configfile test true echo regexp eval probe
    loadenv pgp gcry_sha256 gcry_sha512 gcry_rsa linux multiboot2 boot reboot sleep datehook
    efi_gop)
  mkdir --parents "$work/memdisk/boot/grub"
  cp "$common/$1" "$work/memdisk/boot/grub/grub.cfg"
  tar --create --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mode=0644 \
    --mtime="@$JUMPGATE_BUILT" --directory="$work/memdisk" --file="$work/memdisk.tar" boot/grub/grub.cfg
  # Without a shim: the firmware knows our key. Its checks are replaced by those with --pubkey.
  # Buildroot has a GRUB of its own; scripts/image-buildroot.sh says where.
  "${JUMPGATE_GRUB_MKIMAGE:-grub-mkimage}" --format=x86_64-efi \
    ${JUMPGATE_GRUB_MODULES:+--directory="$JUMPGATE_GRUB_MODULES"} --output="$work/loader" --prefix='(memdisk)/boot/grub' \
    --memdisk="$work/memdisk.tar" --pubkey="$keys/boot.pub" --disable-shim-lock "${modules[@]}"
  sign_for_firmware "$work/loader" "$2"
}

make_esp() {
  local esp=$work/esp slot
  mkdir --parents "$esp/EFI/BOOT" "$esp/jumpgate/a" "$esp/jumpgate/b" "$esp/jumpgate/r"
  cp slot/BOOTX64.EFI "$esp/EFI/BOOT/"
  for slot in a r; do
    cp slot/{kernel,initramfs,slot.cfg}{,.sig} "$esp/jumpgate/$slot/"
  done
  make_fat "$esp" "$ESP_MIB" 4 "$work/esp.img" esp
}

# An EFI partition with empty environment blocks (every slot has its tries):
# make_fat FOLDER MIB SECTORS_OF_A_CLUSTER OUTPUT NAME
make_fat() {
  local kind path empty=$work/empty
  { printf '# GRUB Environment Block\n' && printf '#%.0s' {1..999}; } >"$1/jumpgate/env"
  cp "$1/jumpgate/env" "$1/jumpgate/spare"
  find "$1" -exec touch --date="@$JUMPGATE_BUILT" {} +
  truncate --size="$2M" "$4"
  mkfs.vfat -F 32 -s "$3" -n JUMPGATE --invariant -i "$(derived "$5" | cut --bytes=-8)" "$4" >/dev/null
  # One by one: of a whole folder mcopy takes files in the order of the building machine's disk.
  (cd "$1" && find . -mindepth 1 -printf '%y %P\n' | sort) | while read -r kind path; do
    if [[ $kind == f ]]; then
      mcopy -m -i "$4" "$1/$path" "::/$path"
    else
      mkdir --parents "$empty/$path"
      touch --date="@$JUMPGATE_BUILT" "$empty/$path"
      mcopy -s -m -i "$4" "$empty/$path" "::/$(dirname "$path")"
      rm --recursive "$empty"
    fi
  done
}

# make_ext4 LABEL MIB JOURNAL_MIB [EXTENDED_OPTION]: a part is kept for root, so that a full disk
# stops neither supervisor nor console.
make_ext4() {
  truncate --size="$2M" "$work/$1.img"
  MKE2FS_CONFIG=$common/../../rootfs-overlay/etc/mke2fs.conf mke2fs -q -t ext4 -m 1 -J "size=$3" -L "$1" \
    -U "$(uuid "$1 file system")" \
    -E "hash_seed=$(uuid "$1 hash seed"),root_owner=0:0${4+,$4}" "$work/$1.img"
}

type_root=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
type_linux=0fc63daf-8483-4772-8e79-3d69d8477de4
type_esp=c12a7328-f81f-11d2-ba4b-00a0c93ec93b

# Adds to `table` and `image` of whoever calls it, from `at` on, counted in MiB:
# partition NAME TYPE MIB [CONTENT [KIND_OF_DISK]]
partition() {
  table+="
start=${at}MiB, size=${3}MiB, type=$2, name=jumpgate-$1, uuid=$(uuid "${5-}partition $1")"
  if [[ -n ${4-} ]]; then
    local bytes
    bytes=$(stat --format=%s "$4")
    ((bytes <= $(mib "$3"))) || too_large "$1" "$bytes" "$(mib "$3")"
    dd if="$4" of="$image" bs=1M seek="$at" conv=notrunc,sparse status=none
  fi
  at=$((at + $3))
}

make_disk() {
  local image=$work/appliance.img at=1 table
  table="label: gpt
label-id: $(uuid disk)
first-lba: 2048"
  truncate --size="$((1 + ESP_MIB + 2 * SLOT_MIB + RECOVERY_MIB + STATE_MIB + DATA_MIB + 1))M" "$image"
  partition esp "$type_esp" "$ESP_MIB" "$work/esp.img"
  partition a "$type_root" "$SLOT_MIB" slot/root.img
  partition b "$type_root" "$SLOT_MIB"
  partition recovery "$type_root" "$RECOVERY_MIB" slot/root.img
  partition state "$type_linux" "$STATE_MIB" "$work/jumpgate-state.img"
  partition data "$type_linux" "$DATA_MIB" "$work/jumpgate-data.img"
  sfdisk --quiet "$image" <<<"$table"
  mv "$image" appliance.img
}
