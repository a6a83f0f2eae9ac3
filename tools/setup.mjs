// Brings a clone to the state a command needs: the right Node, dependencies, a build. Nothing from npm is needed to run this.
import { existsSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { bins, mustSucceed, root, runNode, runNpm } from "./run.mjs";

/** Stops with a clear message on a Node that is too old for the project. */
export function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Troupe needs Node 20.19 or newer; this is ${process.versions.node}`);
  process.exit(1);
}

/** Runs `npm ci` when node_modules is missing or is not what the lockfile says. */
export async function ensureInstalled() {
  checkNode();
  if (isInstalled()) return;
  console.log("Installing dependencies (npm ci) ...");
  mustSucceed(await runNpm(["ci", "--no-audit", "--no-fund", "--loglevel=error"], { quiet: true }), "npm ci");
}

/** Compiles src to dist (the package), and the page for operators to dist/ui. Quick when nothing has changed. */
export async function ensureBuilt() {
  await ensureInstalled();
  mustSucceed(await runNode(bins.tsc, ["-p", "tsconfig.build.json"], { quiet: true }), "The build of src");
  // It imports what may not have been installed before.
  const { ensurePage } = await import("./page.mjs");
  await ensurePage("dist/ui");
}

/** Packs the built package into `file`. Without scripts: `prepack` would build it again. */
export async function packPackage(file) {
  const flags = ["--ignore-scripts", "--pack-destination", dirname(file), "--loglevel=error"];
  const packed = await runNpm(["pack", ...flags], { quiet: true });
  mustSucceed(packed, "npm pack");
  renameSync(join(dirname(file), packed.output.trim().split("\n").at(-1)), file);
}

/** Compiles src, then examples/ and bench/ against the built package, into build/. */
export async function ensurePrograms() {
  await ensureBuilt();
  const compiled = await runNode(bins.tsc, ["-p", "tsconfig.programs.json"], { quiet: true });
  mustSucceed(compiled, "The build of examples and benchmarks");
}

function isInstalled() {
  const installed = readPackages(join(root, "node_modules", ".package-lock.json"));
  const wanted = readPackages(join(root, "package-lock.json"));
  return Object.entries(wanted).every(
    ([path, entry]) => path === "" || entry.optional || installed[path]?.version === entry.version,
  );
}

function readPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).packages : {};
}
