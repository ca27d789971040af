# shellcheck shell=bash
# The stick that installs the appliance: boot loader, kernel and initramfs as on the appliance, and the
# image of its disk, compressed and with a hash tree as if it were a root.
# To source from post-image.sh after disk.sh, in its folder and with its variables.
# shellcheck disable=SC2154 # Those.

make_installer() {
  # shellcheck disable=SC2034 # `at` is for partition.
  local esp=$work/stick/jumpgate/install image=$work/installer.img at=1 table
  mkdir --parents "$esp" "$work/payload" "$work/stick/EFI/BOOT"
  # appliance.img is sparse, and zeros take no room in the payload either.
  cp --sparse=always appliance.img "$work/payload/"
  cp slot/slot.cfg "$work/payload/"
  find "$work/payload" -exec touch --date="@$JUMPGATE_BUILT" {} +
  mksquashfs "$work/payload" "$work/payload.img" -quiet -no-progress -all-root -noappend -no-xattrs \
    -comp zstd -Xcompression-level 9 -b 1M
  add_hash_tree "$work/payload.img" "$esp/slot.cfg"
  sign_for_loader "$esp/slot.cfg"
  cp slot/{kernel,initramfs}{,.sig} "$esp/"
  make_loader grub-installer.cfg "$work/stick/EFI/BOOT/BOOTX64.EFI"
  make_fat "$work/stick" "$STICK_ESP_MIB" 1 "$work/stick.img" stick

  local payload_mib=$(($(stat --format=%s "$work/payload.img") / $(mib 1) + 1))
  table="label: gpt
label-id: $(uuid stick)
first-lba: 2048"
  truncate --size="$((1 + STICK_ESP_MIB + payload_mib + 1))M" "$image"
  partition esp "$type_esp" "$STICK_ESP_MIB" "$work/stick.img" stick-
  partition installer "$type_linux" "$payload_mib" "$work/payload.img" stick-
  sfdisk --quiet "$image" <<<"$table"
  mv "$image" installer.img
}
