// Bundles ts/ and css/ into dist/, which is committed so that nobody needs Node to build a program.
//
// Usage: node build.mjs          write dist/
//        node build.mjs --check  compare with dist/ instead; exit status 1 if it differs
//        node build.mjs --test   bundle and run every ts/**/*.test.ts
//
// The same sources and lock file give the same bytes on every machine.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

/**
 * xterm.js writes its colours and sizes into <style> elements and `style` attributes, both of which
 * `style-src 'self'` forbids. Constructed style sheets and the style property are scripts' own doing
 * and allowed, so the four places are turned into those. An update of xterm.js that has another
 * number of places stops the build: someone has to look.
 */
const xtermWithoutInlineStyle = {
  name: "xterm-without-inline-style",
  setup({ onLoad }) {
    onLoad({ filter: /@xterm\/xterm\/lib\/xterm\.mjs$/ }, ({ path }) => {
      let code = readFileSync(path, "utf8");
      const replace = (pattern, by, times) => {
        const found = code.match(pattern)?.length ?? 0;
        if (found !== times) throw new Error(`${pattern} found ${found} times in xterm.js, not ${times}`);
        code = code.replace(pattern, by);
      };
      replace(/[\w.]+\.createElement\("style"\)/g, "__sheetElement()", 3);
      replace(
        /(\w)\.setAttribute\("style",`\$\{\1\.getAttribute\("style"\)\|\|""\}\$\{(\w)\};`\)/g,
        "($1.style.cssText+=$2+';')",
        1,
      );
      const sheet = join(here, "ts/terminal/sheet.ts");
      return {
        contents: `import{sheetElement as __sheetElement}from${JSON.stringify(sheet)};${code}`,
        loader: "js",
      };
    });
  },
};

const shared = {
  absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
  entryNames: "[dir]/[name]",
  bundle: true,
  format: "esm",
  charset: "utf8",
  logLevel: "warning",
  plugins: [xtermWithoutInlineStyle],
};

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const mode = process.argv[2] ?? "";
if (!["", "--check", "--test"].includes(mode)) {
  console.error("usage: node build.mjs [--check | --test]");
  process.exit(2);
}
process.exit(mode === "--test" ? await test() : await build(mode === "--check"));

async function build(compareOnly) {
  const { outputFiles, metafile } = await esbuild.build({
    ...shared,
    entryPoints: {
      console: "ts/console/main.tsx",
      chat: "ts/chat/main.tsx",
      portal: "ts/portal/main.ts",
      player: "ts/player/main.ts",
      updates: "ts/updates/main.ts",
      app: "css/app.css",
      pages: "css/pages.css",
    },
    outdir: "dist",
    // Pages load them as classic scripts or as modules: neither may leak names.
    format: "iife",
    minify: true,
    target: ["chrome109", "firefox115", "safari16.4"],
    legalComments: "none",
    metafile: true,
    write: false,
  });
  const fresh = new Map(
    outputFiles.map(({ path, contents }) => {
      const { inputs } = metafile.outputs[`dist/${basename(path)}`];
      return [basename(path), Buffer.concat([contents, licencesOf(Object.keys(inputs))])];
    }),
  );
  checkSyntax(fresh);
  if (!compareOnly) return write(fresh);
  const stale = [...fresh].filter(([name, bytes]) => !same(name, bytes)).map(([name]) => name);
  const odd = readdirSync(dist).filter((name) => !fresh.has(name));
  for (const name of stale) console.error(`dist/${name} is not what the sources give; run: npm run build`);
  for (const name of odd) console.error(`dist/${name} comes from no source`);
  return stale.length + odd.length > 0 ? 1 : 0;
}

function write(fresh) {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  for (const [name, bytes] of [...fresh].sort()) {
    writeFileSync(join(dist, name), bytes);
    console.log(`dist/${name} ${bytes.length.toLocaleString("en")} bytes`);
  }
  return 0;
}

function same(name, bytes) {
  try {
    return readFileSync(join(dist, name)).equals(bytes);
  } catch {
    return false;
  }
}

/** The licences of the packages a bundle holds, which ask to travel with it. */
function licencesOf(inputs) {
  const packages = new Set(inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  const texts = [...packages].sort().map((name) => {
    const { version } = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"));
    const licence = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8");
    return `/*!\n${name} ${version}\n\n${licence.replaceAll("*/", "* /").trim()}\n*/\n`;
  });
  return Buffer.from(texts.join(""));
}

/** esbuild has been seen to write a bundle that is no JavaScript, without an error. */
function checkSyntax(fresh) {
  const scratch = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    for (const [name, bytes] of fresh) {
      if (!name.endsWith(".js")) continue;
      const path = join(scratch, name.replace(/js$/, "mjs"));
      writeFileSync(path, bytes);
      const { status } = spawnSync(process.execPath, ["--check", path], { stdio: "inherit" });
      if (status !== 0) throw new Error(`${name} is not JavaScript`);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function test() {
  const entryPoints = readdirSync(join(here, "ts"), { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `ts/${name}`)
    .sort();
  // Inside node_modules, so that the tests find what is not bundled and nothing has to be ignored.
  const outdir = join(here, "node_modules", ".tests");
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = await esbuild.build({
    ...shared,
    entryPoints,
    outdir,
    outbase: "ts",
    platform: "node",
    packages: "external",
    outExtension: { ".js": ".mjs" },
    metafile: true,
  });
  const files = Object.keys(metafile.outputs).map((path) => join(here, path));
  return spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit", cwd: here }).status ?? 1;
}
