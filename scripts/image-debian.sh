# shellcheck shell=bash
# The quick back end: kernel and base from Debian's packages instead of a Buildroot build.
# To source after lib.sh, from the top folder. Packages are downloaded and unpacked below
# output/debian, not installed, and again only when Debian offers another version.
# shellcheck disable=SC2154 # `output` is set by scripts/build-image.

source scripts/debian.sh # debian, debian_unpack, debian_release

# What is unpacked, beside the kernel.
debian_wanted=(busybox-static e2fsprogs libext2fs2 libcom-err2 libblkid1 libuuid1 libc6 libgcc-s1)
# Applets of BusyBox that the image has under a name of their own. No shell among them.
applets=(sbin/init sbin/halt sbin/reboot sbin/poweroff bin/mount bin/umount sbin/sysctl
  sbin/ip sbin/udhcpc sbin/hwclock)

# Fills a target tree with what Buildroot would build: debian_target TARGET
debian_target() {
  local target=$1 from=$debian/root applet library
  mkdir --parents "$target"/{bin,sbin,lib,lib64}
  cp "$from/bin/busybox" "$target/bin/busybox"
  for applet in "${applets[@]}"; do ln --symbolic /bin/busybox "$target/$applet"; done
  cp "$from"/sbin/{e2fsck,mke2fs,resize2fs} "$target/sbin/"
  # What these and our programs link; the loader looks there without a cache. Each lies in one of
  # two folders; post-build.sh misses what is in neither.
  for library in libc libm libgcc_s libext2fs libe2p libcom_err libblkid libuuid; do
    cp --dereference "$from"/{usr/,}lib/x86_64-linux-gnu/"$library".so.[0-9] "$target/lib/" \
      2>/dev/null || true
  done
  cp --dereference "$from/lib64/ld-linux-x86-64.so.2" "$target/lib64/"
}

# Puts the kernel, the modules for the initramfs and their order into BINARIES.
debian_kernel_files() {
  local binaries=$1 from=$debian/root release name
  release=$(debian_release)
  # Debian's signature says nothing to our firmware.
  cp "$from/boot/vmlinuz-$release" "$binaries/bzImage"
  sbattach --remove "$binaries/bzImage" >/dev/null
  rm --recursive --force "$binaries/modules"
  mkdir --parents "$binaries/modules/lib/modules"
  sed --quiet 's/^\([^#]\)/\1/p' board/common/modules.debian | while read -ra names; do
    debian_modules "${names[@]}" </dev/null
  done >"$binaries/modules/modules.list"
}

# The lines of modules.list for one purpose: debian_modules NAME…
debian_modules() {
  local options=(--dirname "$debian/root" --set-version "$(debian_release)") name files aliases
  files=$(for name; do
    modprobe "${options[@]}" --show-depends "$name" || die "Debian's kernel has no module $name"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
  # shellcheck disable=SC2086 # One word per file; no module has a space in its name.
  cp --update $files "$output/modules/lib/modules/"
  # shellcheck disable=SC2046,SC2086
  files=$(printf '/lib/modules/%s ' $(basename --multiple $files))
  aliases=$(modinfo --basedir "$debian/root" --set-version "$(debian_release)" --field alias "$1" |
    sed --quiet 's/^\(\(pci\|virtio\|usb\|vmbus\|scsi\|platform\|acpi\)\*\?:[^ ]*\).*/\1/p')
  # What no device asks for is loaded everywhere.
  if [[ -n $aliases ]]; then echo "${aliases//$'\n'/ $files$'\n'} $files"; else echo "$files"; fi
}

compose() {
  shown=1 stage "packages" debian_unpack
  stage "kernel and modules" debian_kernel_files "$output"
  stage "root tree" debian_tree
  stage "root" image_root "$output/target"
}

debian_tree() {
  rm --recursive --force "$output/target"
  mkdir --parents "$output/target"
  debian_target "$output/target"
  cp --recursive --no-dereference rootfs-overlay/. "$output/target/"
  image_install "$output/target"
  # Whatever umask the sources were checked out with.
  chmod --recursive u=rwX,go=rX "$output/target"
  board/common/post-build.sh "$output/target"
}
