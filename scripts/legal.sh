# shellcheck shell=bash
# What goes with a firmware image by law and by custom: licences, sources, list of components.
# To source from scripts/image-buildroot.sh, with its variables.
# shellcheck disable=SC2154 # Those.

# Makes OUTPUT/legal-info (licences, and the sources that have to be passed on) and
# OUTPUT/sbom.cdx.json (every component with version, licence and origin).
buildroot_legal() {
  local schema=$BR2_DL_DIR/cyclonedx/spdx-1.6.schema.json
  "${buildroot_make[@]}" legal-info >>"$build/log" 2>&1 || { tail --lines=40 "$build/log" && exit 1; }
  rm --recursive --force "$output/legal-info"
  cp --archive --link "$build/legal-info" "$output/"
  # Buildroot would fetch the names of all licences from the network. These occur.
  mkdir --parents "${schema%/*}"
  cat >"$schema" <<<'{"enum": ["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "GPL-2.0", "GPL-2.0+",
    "GPL-3.0+", "ISC", "LGPL-2.0+", "LGPL-2.1", "LGPL-2.1+", "MIT", "Zlib"]}'
  "${buildroot_make[@]}" --silent show-info >"$build/show-info.json"
  # It asks Buildroot for its version, and that must not leave anything in Buildroot's own folder.
  PYTHONDONTWRITEBYTECODE=1 MAKEFLAGS="-- O=$build" "$buildroot/utils/generate-cyclonedx" \
    --project-name jumpgate --project-version "$JUMPGATE_VERSION" \
    --in-file "$build/show-info.json" --out-file "$build/components.json"
  (cd "$build/build/jumpgate-programs" && cargo metadata --format-version 1 --offline --locked \
    --filter-platform x86_64-unknown-linux-gnu) >"$build/crates.json"
  legal_crates "$build/crates.json" "$output/legal-info/licenses"
  # The toolchain is none of Buildroot's packages, and its C library ends in the image.
  [[ -z $sources ]] || cp --recursive "$sources/toolchain/legal/." "$output/legal-info/"
  buildroot/sbom "$build/components.json" "$build/crates.json" Cargo.lock \
    ${sources:+"$sources/toolchain/packages"} >"$output/sbom.cdx.json"
}

# Of what our programs are made: to Buildroot they are one package. legal_crates METADATA FOLDER
legal_crates() {
  python3 - "$@" <<'END'
import json, pathlib, shutil, sys
for crate in json.load(open(sys.argv[1]))["packages"]:
    if crate["source"] is None:
        continue
    to = pathlib.Path(sys.argv[2], f"{crate['name']}-{crate['version']}")
    for file in pathlib.Path(crate["manifest_path"]).parent.iterdir():
        if file.is_file() and file.name.upper().startswith(("LICEN", "COPY", "NOTICE", "UNLICEN")):
            to.mkdir(exist_ok=True)
            shutil.copyfile(file, to / file.name)
END
}
