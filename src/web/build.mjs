// Bundles ts/ and css/ into dist/, which is committed so that nobody needs Node to build a program.
//
// Usage: node build.mjs          write dist/
//        node build.mjs --check  compare with dist/ instead; exit status 1 if it differs
//        node build.mjs --test   bundle and run ts/**/*.test.ts
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

const options = {
  absWorkingDir: here,
  entryPoints: ["css/pages.css"],
  outdir: "dist",
  entryNames: "[name]",
  bundle: true,
  write: false,
  charset: "utf8",
  logLevel: "warning",
};
const { outputFiles } = await esbuild.build(options);
mkdirSync(dist, { recursive: true });
for (const file of outputFiles) writeFileSync(join(dist, basename(file.path)), file.contents);
