// Builds the page for operators: `ui` -> a folder with index.html and assets. Svelte compiles it, Vite bundles it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.mjs";

/** Builds the page into a folder below the project's, if its sources have changed. Returns the folder. */
export async function ensurePage(folder) {
  const target = join(root, folder);
  const stamp = join(target, ".sources");
  const sources = digestOfSources();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === sources) return target;
  // Another process that builds at the same time sees no half of it.
  const draft = `${target}-${process.pid}`;
  mkdirSync(draft, { recursive: true });
  try {
    await bundle(draft);
    writeFileSync(join(draft, ".sources"), sources);
    rmSync(target, { recursive: true, force: true });
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== sources) throw error;
  }
  return target;
}

async function bundle(outDir) {
  const { build } = await import("vite");
  const { svelte } = await import("@sveltejs/vite-plugin-svelte");
  await build({
    root: join(root, "ui"),
    // Addresses of files are relative: a proxy may serve the page below a path of its own.
    base: "./",
    configFile: false,
    logLevel: "warn",
    mode: "production",
    plugins: [svelte({ configFile: false, compilerOptions: { runes: true, css: "external" } })],
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2022",
      // The policy of the page allows no script and no picture inside of its text.
      assetsInlineLimit: 0,
      modulePreload: false,
      cssCodeSplit: false,
      reportCompressedSize: false,
    },
  });
}

function digestOfSources() {
  const hash = createHash("sha256");
  const folder = join(root, "ui");
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const name of [...names, join(root, "package.json"), join(root, "tools", "page.mjs")])
    hash.update(name).update(readFileSync(name));
  return hash.digest("hex");
}
