# shellcheck shell=bash
# The crates of Cargo.lock in a folder, so that programs are built without a network.
# To source after lib.sh, from the top folder.

# crates_vendor FOLDER
crates_vendor() {
  local crates=$1
  cmp --quiet Cargo.lock "$crates/Cargo.lock" && return
  rm --recursive --force "$crates"
  cargo vendor --quiet --locked --versioned-dirs "$crates"
  cp Cargo.lock "$crates/"
}
