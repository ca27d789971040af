# shellcheck shell=bash
# Python packages that tests are held against; the programs need none of them.
# To source after lib.sh.

# Installs the reference implementation of The Update Framework, where tests/tuf looks for it.
set_up_tuf() {
  local folder=$CARGO_TARGET_DIR/tools/tuf wanted=tests/tuf/requirements.txt
  cmp --silent "$wanted" "$folder/requirements.txt" && return 0
  packages python3 python3-venv
  say "Installing the reference implementation of The Update Framework below $folder"
  rm --recursive --force -- "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  # Last, so that a broken installation is begun anew.
  cp "$wanted" "$folder/requirements.txt"
}
