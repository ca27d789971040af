#!/usr/bin/env bash
# Finish the target tree before it is packed into the read-only root.
#
# Usage (called by Buildroot and by scripts/build-image): post-build.sh TARGET_DIR
# Reads: JUMPGATE_* (scripts/image.sh sets them), BINARIES_DIR, N.root.json of the keys
# Writes: etc/jumpgate/{release,update-root.json}, etc/os-release, mount points; to BINARIES_DIR: init,
#   release
# Runs again on the same tree after every rebuild, so each step replaces what it wrote before.
# Fails if the tree holds what must not be in an image.
set -euo pipefail
umask 022
target=$1

for name in dev proc sys run state data tmp; do
  mkdir --parents "$target/$name"
done
rm --recursive --force "${target:?}"/{var,root,home,mnt,media}

# Only the initramfs needs it.
if [[ -e $target/usr/lib/jumpgate/init ]]; then
  mv "$target/usr/lib/jumpgate/init" "$BINARIES_DIR/init"
fi

mkdir --parents "$target/etc/jumpgate"
cat >"$target/etc/jumpgate/release" <<END
version=$JUMPGATE_VERSION
built=$JUMPGATE_BUILT
sequence=$JUMPGATE_SEQUENCE
epoch=$JUMPGATE_EPOCH
commit=$JUMPGATE_COMMIT
channel=$JUMPGATE_CHANNEL
profile=$JUMPGATE_PROFILE
backend=$JUMPGATE_BACKEND
schema=$JUMPGATE_SCHEMA
END
cp "$target/etc/jumpgate/release" "$BINARIES_DIR/release"
# Whom the first update is believed from; every update brings the roots that came after.
install --mode=0644 \
  "$(printf '%s\n' "$JUMPGATE_KEYS"/update/*.root.json | sort --version-sort | tail --lines=1)" \
  "$target/etc/jumpgate/update-root.json"
# Where that maker's versions are, and who vouches for his server if not the public authorities.
for name in source authorities.pem; do
  [[ ! -e $JUMPGATE_KEYS/update/$name ]] ||
    install --mode=0644 "$JUMPGATE_KEYS/update/$name" "$target/etc/jumpgate/update-$name"
done
cat >"$target/etc/os-release" <<END
NAME=Jumpgate
ID=jumpgate
VERSION_ID=$JUMPGATE_VERSION
END

# What packages bring that nothing here reads.
rm --recursive --force "$target"/usr/share/{doc,man,info,locale} "$target"/usr/{include,lib/pkgconfig}

problem() {
  printf 'post-build.sh: %s\n' "$1:" "$2" >&2
  exit 1
}
refuse() {
  local found
  found=$(cd "$target" && find . "${@:2}" -print)
  [[ -z $found ]] || problem "$1" "$found"
}
refuse "set-user-id or set-group-id" -type f -perm /6000
refuse "writable by everybody" ! -type l -perm /0002
refuse "neither file, folder nor link" ! -type f ! -type d ! -type l
refuse "a shell, a login or a door in" -path ./etc/jumpgate -prune -o \
  '(' -name sh -o -name ash -o -name bash -o -name dash -o -name login -o -name 'getty*' \
  -o -name su -o -name sulogin -o -name 'telnet*' -o -name 'sshd*' -o -name 'dropbear*' ')'
refuse "keys or passwords" '(' -name '*.key' -o -name '*.pem' -o -name 'shadow*' ')'
if secret=$(grep --recursive --files-with-matches --binary-files=without-match \
  --regexp='-----BEGIN.*PRIVATE KEY' "$target"); then
  problem "a private key" "$secret"
fi
# Every library that a program or library asks for.
while read -r elf; do
  for library in $(readelf --dynamic "$elf" 2>/dev/null | sed --quiet 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    compgen -G "$target/lib*/$library" >/dev/null || compgen -G "$target/usr/lib*/$library" >/dev/null ||
      problem "a library is missing" "$library, for ${elf#"$target"}"
  done
done < <(find "$target" -type f '(' -perm /0111 -o -name '*.so*' ')')
chmod 0755 "$target"
