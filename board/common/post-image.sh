#!/usr/bin/env bash
# Make the signed disk image from kernel, init and root.
#
# Usage (called by Buildroot and by scripts/build-image): post-image.sh BINARIES_DIR
# Reads: bzImage, init, rootfs.squashfs and, with Debian's kernel, modules/ (modules.list and what
#   it names); JUMPGATE_* (scripts/image.sh sets them); board/common/board.env, grub*.cfg
# Writes: there: appliance.img; installer.img (for a stick); slot/ (what an update carries);
#   secure-boot/ (certificates to enrol). Replaces what an earlier run wrote.
# The same input and keys give the same bytes, except for the signatures of the firmware's kind.
set -euo pipefail
umask 022
common=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$1"
# shellcheck source=board/common/board.env
source "$common/board.env"
export TZ=UTC LC_ALL=C SOURCE_DATE_EPOCH=$JUMPGATE_BUILT E2FSPROGS_FAKE_TIME=$JUMPGATE_BUILT
PATH=$PATH:/usr/sbin:/sbin

keys=$JUMPGATE_KEYS
work=$(mktemp --directory)
export GNUPGHOME=$work/gnupg
trap 'gpgconf --kill all; rm --recursive --force -- "$work"' EXIT
mkdir --mode=0700 "$GNUPGHOME"
gpg --quiet --batch --import "$keys/boot.key" 2>/dev/null
# shellcheck source=board/common/slot.sh
source "$common/slot.sh" # make_root, make_initramfs, sign_for_loader, sign_for_firmware
# shellcheck source=board/common/disk.sh
source "$common/disk.sh" # make_loader, make_esp, make_ext4, make_disk
# shellcheck source=board/common/installer.sh
source "$common/installer.sh" # make_installer

# derived NAME: 64 hexadecimal digits that stay the same for this build.
derived() { printf '%s\n' "$JUMPGATE_VERSION" "$JUMPGATE_COMMIT" "$1" | sha256sum | cut --bytes=-64; }
# A version 8 UUID: `init` gives a disk with such a one fresh random identifiers at first boot.
uuid() { derived "$1" | sed 's/^\(.\{8\}\)\(....\).\(...\).\(...\)\(.\{12\}\).*/\1-\2-8\3-8\4-\5/'; }
mib() { echo $(($1 * 1024 * 1024)); }
say() { printf '%s\n' "post-image.sh: $*" >&2; }
too_large() { say "$1 has $2 bytes, at most $3 fit" && exit 1; }

rm --recursive --force slot secure-boot
mkdir slot secure-boot
cp "$keys"/{PK,KEK,db}.der secure-boot/
make_root
make_initramfs
sign_for_firmware bzImage slot/kernel
sign_for_loader slot/kernel slot/initramfs slot/slot.cfg
make_loader grub.cfg slot/BOOTX64.EFI
make_esp
make_ext4 jumpgate-state "$STATE_MIB" 8
# Room in its tables, and a journal large enough, to be grown to 16 TiB while mounted.
make_ext4 jumpgate-data "$DATA_MIB" 64 resize=4294967295
make_disk
make_installer
