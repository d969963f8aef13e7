// Makes the pages: node build.mjs OUT
//
// Neuroglancer finds its workers and decoders beside its own bundle, by names that are in its code:
//
//   OUT/index.html, operator.html, ...     the pages and what is theirs alone
//   OUT/ng/main.js, main.css               Neuroglancer, and what opens it on our data
//   OUT/ng/chunk_worker.bundle.js, *.wasm  its worker with our token (chunk_worker.js), and the decoders that one loads
//   OUT/async_computation.bundle.js        one more worker
//
// Beside each file of some size lies FILE.gz. OUT/index.html is written last: where it is, all of it is.

import * as fs from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { gzipSync } from "node:zlib";

import * as esbuild from "esbuild";

import { icon } from "./icons.mjs";

const out = process.argv[2];
if (out === undefined) {
  console.error("usage: node build.mjs OUT");
  process.exit(2);
}
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const neuroglancer = path.dirname(createRequire(import.meta.url).resolve("neuroglancer"));
const ownPages = ["operator.html", "style.css", "icon.svg", "index.html"];
const zippedBytesMin = 1024;

const ownIcons = {
  name: "icons",
  setup(build) {
    build.onResolve({ filter: /^ikonate\/icons\// }, ({ path: name }) => ({
      path: path.basename(name.replace(/\?.*$/, ""), ".svg"),
      namespace: "icon",
    }));
    build.onLoad({ filter: /.*/, namespace: "icon" }, ({ path: name }) => ({ contents: icon(name), loader: "text" }));
  },
};

async function bundle(entryPoints) {
  await esbuild.build({
    entryPoints,
    outdir: out,
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    loader: { ".svg": "text", ".html": "file", ".wasm": "file" },
    legalComments: "linked",
    plugins: [ownIcons],
    logLevel: "warning",
  });
}

async function filesBelow(folder) {
  const entries = await fs.readdir(folder, { withFileTypes: true });
  const nested = entries.map((entry) => {
    const name = path.join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(name) : [name];
  });
  return (await Promise.all(nested)).flat();
}

async function zip(file) {
  const bytes = await fs.readFile(file);
  if (bytes.length >= zippedBytesMin) {
    await fs.writeFile(`${file}.gz`, gzipSync(bytes));
  }
}

await fs.rm(out, { recursive: true, force: true });
await fs.mkdir(path.join(out, "ng"), { recursive: true });
await bundle({
  "ng/main": path.join(here, "viewer.js"),
  "ng/chunk_worker.bundle": path.join(here, "chunk_worker.js"),
  "async_computation.bundle": path.join(neuroglancer, "async_computation.bundle.js"),
  operator: path.join(here, "operator.js"),
});
for (const file of await filesBelow(neuroglancer)) {
  if (file.endsWith(".wasm")) {
    await fs.copyFile(file, path.join(out, "ng", path.basename(file)));
    await fs.copyFile(file, path.join(out, path.basename(file)));
  }
}
await fs.copyFile(path.join(neuroglancer, "..", "LICENSE"), path.join(out, "ng", "LICENSE.txt")).catch(() => {});
for (const page of ownPages) {
  await fs.copyFile(path.join(here, page), path.join(out, page));
}
await Promise.all((await filesBelow(out)).map(zip));
