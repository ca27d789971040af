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
