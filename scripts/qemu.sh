# shellcheck shell=bash
# Sets up QEMU, its firmware and a TPM on this machine.
# To source after lib.sh.

# QEMU, its firmware for UEFI, and a TPM.
set_up_qemu() {
  local offered installed
  if ! command -v qemu-system-x86_64 >/dev/null && command -v apt-cache >/dev/null; then
    # Both halves of QEMU have to be of one version; a newer half from elsewhere gives way.
    [[ -n $(apt-cache policy qemu-system-x86) ]] || packages_lists
    offered=$(apt-cache policy qemu-system-x86 | awk '/Candidate:/ { print $2 }')
    installed=$(dpkg-query --show --showformat='${Version}' qemu-utils 2>/dev/null || true)
    [[ -z $installed || $installed == "$offered" ]] || packages_exactly "qemu-utils=$offered"
  fi
  packages qemu-system-x86 qemu-utils ovmf swtpm python3
  need qemu-system-x86_64 qemu-img swtpm python3
}

# Installs NAME=VERSION, also in place of a newer version.
packages_exactly() {
  local as_root=()
  [[ $EUID -eq 0 ]] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends --allow-downgrades "$@" >&2
}

# Adds a TPM 2.0 to `qemu`, and its process to `started`. Its state goes with the folder `work`.
add_tpm() {
  # shellcheck disable=SC2154 # The calling script's.
  swtpm socket --tpm2 --tpmstate "dir=$work" --ctrl "type=unixio,path=$work/tpm" --terminate &
  started+=("$!")
  until [[ -S $work/tpm ]]; do kill -0 "${started[-1]}" 2>/dev/null || die "swtpm ended" && sleep 0.1; done
  # shellcheck disable=SC2054 # The commas are QEMU's.
  qemu+=(-chardev "socket,id=tpm,path=$work/tpm" -tpmdev emulator,id=tpm,chardev=tpm
    -device tpm-crb,tpmdev=tpm)
}
