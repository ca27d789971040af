# shellcheck shell=bash
# Debian's compiler and C library, arranged as Buildroot wants an external toolchain.
# To source after lib.sh and sources.sh, from the top folder; needs sources: `toolchain` is in there.
# shellcheck disable=SC2154 # That.

toolchain_prefix=x86_64-jumpgate-linux-gnu
# They run here, with the libraries that Debian's own compiler needs (gcc-12 and binutils).
toolchain_tools=(gcc-12 gcc-12-base cpp-12 binutils-x86-64-linux-gnu libgcc-12-dev)
# They are compiled against, and partly end in the image. Neither libcrypt nor C++ nor OpenMP
# (libgomp): Buildroot would want to be told that they are there, and nothing here uses them.
toolchain_sysroot=(libc6 libc6-dev linux-libc-dev libgcc-s1)

toolchain_make() {
  local toolchain=$sources/toolchain wanted
  packages gcc-12 binutils
  wanted=$(apt-cache policy "${toolchain_tools[@]}" "${toolchain_sysroot[@]}" |
    awk '/^[^ ]/ { sub(":$", ""); name = $0 } /Candidate:/ { print name "=" $2 }')
  grep --quiet '^gcc-12=' <<<"$wanted" || die "apt has no gcc-12; is this Debian 12?"
  [[ $wanted != "$(cat "$toolchain/packages" 2>/dev/null)" ]] || return 0
  rm --recursive --force "$toolchain"
  mkdir --parents "$toolchain/download"
  # shellcheck disable=SC2086 # One word per package.
  (cd "$toolchain/download" && apt-get download --quiet=2 $wanted)
  toolchain_unpack "$toolchain" "${toolchain_tools[@]}"
  toolchain_unpack "$toolchain/sysroot" "${toolchain_sysroot[@]}"
  rm "$toolchain"/usr/lib/gcc/x86_64-linux-gnu/12/libgomp.*
  (cd "$toolchain/download" && sha256sum ./*.deb) >"$toolchain/packages.sha256"
  toolchain_flatten "$toolchain/sysroot"
  toolchain_commands "$toolchain"
  toolchain_legal "$toolchain" "$wanted"
  rm --recursive "$toolchain/download"
  echo "$wanted" >"$toolchain/packages"
}

# toolchain_unpack FOLDER PACKAGE…
toolchain_unpack() {
  local folder=$1 name
  mkdir --parents "$folder"
  for name in "${@:2}"; do
    dpkg-deb --extract "$sources/toolchain/download/${name}"_*.deb "$folder"
  done
  rm --recursive --force "${folder:?}"/{etc,usr/share}
}

# What has to go with C library and libgcc, which end in the image: licences and sources.
# toolchain_legal TOOLCHAIN WANTED
toolchain_legal() {
  local name source version
  for name in libc6=glibc gcc-12-base=gcc-12; do
    source=${name#*=} name=${name%=*}
    version=$(sed --quiet "s/^$name=//p" <<<"$2")
    mkdir --parents "$1/legal/licenses/$name" "$1/legal/sources/$source"
    dpkg-deb --fsys-tarfile "$1/download/${name}"_*.deb |
      tar --extract --to-stdout "./usr/share/doc/$name/copyright" >"$1/legal/licenses/$name/copyright"
    (cd "$1/legal/sources/$source" &&
      sources_apt apt-get --quiet=2 source --download-only --only-source "$source=$version")
  done
}

# Buildroot knows lib and usr/lib, not Debian's folders for each architecture below them.
toolchain_flatten() {
  local root=$1 folder link
  for folder in lib usr/lib usr/include; do
    [[ -d $root/$folder/x86_64-linux-gnu ]] || continue
    cp --archive --no-clobber "$root/$folder/x86_64-linux-gnu/." "$root/$folder/"
    rm --recursive "$root/$folder/x86_64-linux-gnu"
  done
  rm --recursive --force "${root:?}/lib64"
  ln --symbolic lib "$root/lib64"
  ln --symbolic --force ld-linux-x86-64.so.2 "$root/lib/ld-lsb-x86-64.so.3"
  # The same for what links and linker scripts point to.
  find "$root" -type l -lname '/*' | while read -r link; do
    ln --symbolic --force --relative "$root$(readlink "$link" | sed 's|/x86_64-linux-gnu||')" "$link"
  done
  grep --recursive --files-with-matches --binary-files=without-match 'GNU ld script' "$root/usr/lib" |
    xargs --no-run-if-empty sed --in-place 's|/x86_64-linux-gnu||g'
}

# Commands by the names that a cross compiler has.
toolchain_commands() {
  local toolchain=$1 name tool
  mkdir --parents "$toolchain/bin" "$toolchain/usr/x86_64-linux-gnu/bin"
  for tool in "$toolchain"/usr/bin/x86_64-linux-gnu-*; do
    name=${tool##*/x86_64-linux-gnu-}
    case $name in
      gcc-12 | cpp-12)
        cat >"$toolchain/bin/$toolchain_prefix-${name%-12}" <<END
#!/bin/sh
# Debian's compiler with the C library beside it instead of the machine's.
here=\$(dirname "\$(readlink --canonicalize "\$0")")/..
exec "\$here/usr/bin/${tool##*/}" --sysroot="\$here/sysroot" "\$@"
END
        chmod +x "$toolchain/bin/$toolchain_prefix-${name%-12}" ;;
      *)
        ln --symbolic --force "../usr/bin/${tool##*/}" "$toolchain/bin/$toolchain_prefix-${name%-12}"
        # Where the compiler looks for them once it has moved.
        ln --symbolic --force "../../bin/${tool##*/}" "$toolchain/usr/x86_64-linux-gnu/bin/$name" ;;
    esac
  done
}
