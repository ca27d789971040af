# shellcheck shell=bash
# Debian's packages, downloaded and unpacked below output/debian, never installed.
# To source after lib.sh, from the top folder; needs debian_wanted, the names.
# shellcheck disable=SC2154

debian=$PWD/output/debian

# The package that linux-image-amd64 stands for now.
debian_kernel() {
  apt-cache depends --important linux-image-amd64 | sed --quiet 's/.*Depends: \(linux-image-[0-9].*\)/\1/p'
}

# One line per package: name=version, as Debian offers it now.
debian_versions() {
  local kernel
  kernel=$(debian_kernel)
  [[ -n $kernel ]] || die "apt knows no package linux-image-amd64; is this Debian on x86_64?"
  apt-cache policy "$kernel" "${debian_wanted[@]}" |
    awk '/^[^ ]/ { sub(":$", ""); name = $0 } /Candidate:/ { print name "=" $2 }'
}

# Makes output/debian/root: the packages, unpacked side by side.
debian_unpack() {
  need apt-get apt-cache dpkg-deb
  # Debian's offer only changes with its lists, and what we want with this file.
  [[ ! $debian/packages.txt -nt /var/lib/apt/lists ||
    ! $debian/packages.txt -nt scripts/image-debian.sh ]] || return 0
  [[ -n $(debian_kernel) ]] || packages_lists
  local versions
  versions=$(debian_versions)
  [[ $versions == "$(cat "$debian/packages.txt" 2>/dev/null)" ]] && touch "$debian/packages.txt" && return
  rm --recursive --force "$debian"
  mkdir --parents "$debian/download" "$debian/root"
  say "Downloading $(wc --lines <<<"$versions") packages"
  # shellcheck disable=SC2086 # One word per package.
  (cd "$debian/download" && apt-get download --quiet=2 $versions 2>&1)
  local package
  for package in "$debian"/download/*.deb; do dpkg-deb --extract "$package" "$debian/root"; done
  depmod --basedir "$debian/root" "$(debian_release)"
  echo "$versions" >"$debian/packages.txt"
}

debian_release() { basename "$debian"/root/lib/modules/*; }
