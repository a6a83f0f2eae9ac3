import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import type * as context from "../../src/context/index.ts";
import type * as core from "../../src/core/index.ts";
import type * as transport from "../../src/transport/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Another copy of the package. */
export interface SecondCopy {
  readonly core: typeof core;
  readonly context: typeof context;
  readonly transport: typeof transport;
}

let copy: Promise<SecondCopy> | undefined;

/**
 * Loads the package a second time into this process, as a program does that has two versions of it or a linked folder. The two
 * share no class and no variable.
 */
export function loadSecondCopy(): Promise<SecondCopy> {
  copy ??= load();
  return copy;
}

async function load(): Promise<SecondCopy> {
  const parent = join(root, "build");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "second-copy-"));
  try {
    const entryPoints = Object.fromEntries(
      ["core", "context", "transport"].map((room) => [room, join(root, `src/${room}/index.ts`)]),
    );
    const outExtension = { ".js": ".mjs" };
    const output = { outdir: folder, outExtension, format: "esm", platform: "node", splitting: true } as const;
    await build({ entryPoints, bundle: true, packages: "external", logLevel: "silent", ...output });
    const load = (name: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, `${name}.mjs`)).href);
    return { core: await load("core"), context: await load("context"), transport: await load("transport") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
