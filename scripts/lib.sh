# shellcheck shell=bash
# What the scripts share: words to the person, and set-up of this machine.
# To source from the top folder, with `set -euo pipefail`; it does nothing by itself.

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# A toolchain by rustup is not on the path of sudo or of a service.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

say() { printf '%s\n' "$*" >&2; }

die() {
  say "${0##*/}: $*"
  exit 1
}

need() {
  local tool
  for tool; do
    command -v "$tool" >/dev/null || die "'$tool' is not installed"
  done
}

# Prints the manual at the top of the running script.
manual() { sed --quiet '2,/^[^#]/ s/^# \{0,1\}//p' "$0"; }

# Installs those of the named Debian packages that are missing.
packages() {
  command -v dpkg-query >/dev/null || return 0 # Another system: `need` says what is missing.
  local name missing=() as_root=()
  for name; do
    [[ $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$name" 2>/dev/null) == ii* ]] ||
      missing+=("$name")
  done
  [[ ${#missing[@]} -eq 0 ]] && return 0
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || die "as root, please: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  packages_lists
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends "${missing[@]}" >&2
}

# Fetches the lists of what Debian offers.
packages_lists() {
  local as_root=()
  [[ $EUID -eq 0 ]] || as_root=(sudo)
  "${as_root[@]}" apt-get update --quiet=2 || say "The package lists stay as they are."
}

# Everything for building the programs.
set_up_rust() {
  if ! command -v cc >/dev/null || ! command -v ld >/dev/null; then
    packages build-essential
  fi
  command -v cargo >/dev/null || borrow_cargo ||
    die "install a Rust toolchain first, version 1.95 or newer"
  need cc cargo
}

# Under sudo, cargo is that of whoever owns these sources, and so is what it builds.
borrow_cargo() {
  cargo_owner=$(stat --format=%U .)
  cargo_home=$(getent passwd "$cargo_owner" | cut --delimiter=: --fields=6)/.cargo
  [[ $EUID -eq 0 && -x $cargo_home/bin/cargo ]] || return 1
  # shellcheck disable=SC2317 # Reached by whoever says `cargo`.
  cargo() {
    sudo --user "$cargo_owner" --set-home --preserve-env=CARGO_TARGET_DIR \
      "$cargo_home/bin/cargo" "$@"
  }
}

# Builds the appliance's programs and the customer client: one file that needs nothing installed.
build_release() {
  cargo build --release --locked --bin supervisor --bin relay --bin web --bin appliancectl \
    --bin update-agent
  cargo rustc --release --locked --no-default-features --features agent --bin endpoint -- \
    -C target-feature=+crt-static
}

# Builds the first program of the image: static, and with nothing that it does not need.
build_init() {
  cargo rustc --release --locked --no-default-features --features firmware --bin init -- \
    -C target-feature=+crt-static
}
