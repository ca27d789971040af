# shellcheck shell=bash
# What fills a slot: root with its hash tree, initramfs, description, signatures.
# To source from post-image.sh, in its folder and with its variables.
# shellcheck disable=SC2154 # Those.

# For the boot loader. Repeatable: nothing random is in such a signature, and its time is the
# commit's, or the key's if that is younger: before it was made it signs nothing.
sign_for_loader() {
  local file time
  time=$(gpg --quiet --batch --list-keys --with-colons |
    awk -F: -v built="$JUMPGATE_BUILT" '$1 == "pub" { print ($6 > built ? $6 : built); exit }')
  for file; do
    gpg --quiet --batch --yes --faked-system-time "$time!" --digest-algo SHA512 \
      --detach-sign --output "$file.sig" "$file"
  done
}
sign_for_firmware() {
  sbsign --key "$keys/db.key" --cert "$keys/db.crt" --output "$2" "$1" 2>"$work/log" ||
    { cat "$work/log" >&2 && exit 1; }
}

# The root and its description.
make_root() {
  local bytes
  bytes=$(stat --format=%s rootfs.squashfs)
  ((bytes <= $(mib "$ROOT_MIB_MAX"))) || too_large "The root" "$bytes" "$(mib "$ROOT_MIB_MAX")"
  cp rootfs.squashfs slot/root.img
  add_hash_tree slot/root.img slot/slot.cfg
}

# Adds to a file system its hash tree, from the next block on, and says how it is checked and what it
# is: add_hash_tree FILE DESCRIPTION
add_hash_tree() {
  local blocks salt
  truncate --size=%4096 "$1"
  blocks=$(($(stat --format=%s "$1") / 4096))
  salt=$(derived salt)
  veritysetup format --no-superblock --hash=sha256 --data-block-size=4096 --hash-block-size=4096 \
    --data-blocks="$blocks" --hash-offset=$((blocks * 4096)) --salt="$salt" \
    "$1" "$1" >"$work/verity"
  cat >"$2" <<END
set slot_version=$JUMPGATE_VERSION
set slot_built=$JUMPGATE_BUILT
set slot_sequence=$JUMPGATE_SEQUENCE
set slot_epoch=$JUMPGATE_EPOCH
set slot_root=$(awk '/Root hash:/ { print $3 }' "$work/verity")
set slot_salt=$salt
set slot_blocks=$blocks
set slot_channel=$JUMPGATE_CHANNEL
set slot_profile=$JUMPGATE_PROFILE
END
}

# `init`, and the modules of a kernel that has them.
make_initramfs() {
  mkdir "$work/initramfs"
  install --mode=0755 init "$work/initramfs/init"
  if [[ -d modules ]]; then
    cp --recursive modules/. "$work/initramfs/"
  fi
  # Opened by the kernel before anything runs; without it `init` has nowhere to speak to.
  mkdir --parents "$work/initramfs/dev"
  find "$work/initramfs" -exec touch --no-dereference --date="@$JUMPGATE_BUILT" {} +
  (cd "$work/initramfs" && find . -mindepth 1 | sort |
    cpio --quiet --create --format=newc --reproducible --owner=0:0) |
    zstd --quiet -9 --threads=1 >slot/initramfs
}
