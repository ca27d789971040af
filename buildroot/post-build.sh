#!/usr/bin/env bash
# Take out of the target tree what packages bring and the appliance has no use for.
#
# Usage (called by Buildroot before board/common/post-build.sh): post-build.sh TARGET_DIR
# What is kept is listed: a package that brings one program more does not add it to the image.
# Runs again on the same tree after every rebuild.
set -euo pipefail
target=$1
overlay=$(cd "$(dirname "${BASH_SOURCE[0]}")/../rootfs-overlay" && pwd)

# Programs: BusyBox with its names, and what init and the factory reset start.
for folder in bin sbin usr/bin usr/sbin; do
  find "$target/$folder" -mindepth 1 ! -lname '*busybox' ! -path "$target/bin/busybox" \
    ! -path "$target/sbin/e2fsck" ! -path "$target/sbin/mke2fs" ! -path "$target/sbin/resize2fs" \
    -delete 2>/dev/null || true
done
# Settings: those of the overlay.
find "$target/etc" -mindepth 1 ! -type d | while read -r file; do
  [[ -e $overlay${file#"$target"} ]] || rm "$file"
done
# Data of programs that are not there, what only compilers read, and the loader's own oddities.
rm --recursive --force "${target:?}"/{usr/share,usr/lib/os-release,etc/jumpgate,THIS_IS_NOT_YOUR_ROOT_FILESYSTEM}
find "$target/lib" "$target/usr/lib" '(' -name '*.a' -o -name '*.la' -o -name '*.o' -o -name pkgconfig \
  -o -name e2initrd_helper -o -name gconv ')' -prune -exec rm --recursive --force {} +

# Libraries that nothing asks for, until none is left. A library that is asked for is often a link.
libraries() { find "$target"/{,usr/}lib '(' -type f -o -type l ')' -name '*.so*' "$@" | sort; }
while :; do
  kept=$(find "$target" -type f '(' -perm /0111 -o -name '*.so*' ')' -exec readelf --dynamic {} + 2>/dev/null |
    sed --quiet 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort --unique |
    while read -r name; do
      libraries -name "$name" | while read -r file; do
        printf '%s\n' "$file" "$(dirname "$file")/$(readlink "$file" || basename "$file")"
      done
    done | sort --unique)
  gone=$(comm -23 <(libraries) - <<<"$kept")
  [[ -n $gone ]] || break
  xargs rm <<<"$gone"
done
find "$target/etc" "$target/usr" "$target/lib" -depth -type d -empty -delete
