// `npm run examples:projects [-- name ...]`: packs the package once, then copies each project of examples/projects, installs
// it as a user would, and runs its script `check`. A project without a `src` of its own gets examples/hello/main.ts. A check that ends with
// 77 lacks something on this machine; its last line says what.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { venvPython } from "./interop-venvs.mjs";
import { ensureNewerNode } from "./newer-node.mjs";
import { root, runNpm } from "./run.mjs";
import { ensureBuilt, packPackage } from "./setup.mjs";
import { Tally } from "./tally.mjs";

const skippedCode = 77;
const installTimeoutMs = 240_000;
/** Beyond the longest limit that a project sets itself: one that ends itself leaves no process behind. */
const checkTimeoutMs = 300_000;
const atOnce = 2;
const projects = join(root, "examples", "projects");
const only = process.argv.slice(2);
const names = readdirSync(projects).filter(
  (name) => existsSync(join(projects, name, "package.json")) && (only.length === 0 || only.includes(name)),
);
const tally = new Tally();

await ensureBuilt();
const folder = mkdtempSync(join(tmpdir(), "troupe-projects-"));
try {
  await packPackage(join(folder, "troupe.tgz"));
  const waiting = [...names];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await check(name);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (names.length === 0) tally.failed("projects", "none found");
process.exitCode = tally.close();

async function check(name) {
  const startedMs = Date.now();
  const cwd = join(folder, name);
  const madeHere = ["node_modules", "dist"].map((folder) => join(projects, name, folder));
  cpSync(join(projects, name), cwd, { recursive: true, filter: (path) => !madeHere.includes(path) });
  if (!existsSync(join(cwd, "src"))) {
    mkdirSync(join(cwd, "src"));
    cpSync(join(root, "examples", "hello", "main.ts"), join(cwd, "src", "main.ts"));
  }
  const env = await environmentFor(JSON.parse(readFileSync(join(cwd, "package.json"), "utf8")));
  if (env === undefined) return tally.skipped(`project ${name}`, "needs a newer Node than this one");
  // npm runs on this Node, the project's own scripts on the one that it asks for.
  const flags = [
    "--no-package-lock",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--engine-strict=false",
  ];
  const install = ["install", ...flags, "--loglevel=error"];
  const installed = await runNpm(install, { cwd, env, quiet: true, timeoutMs: installTimeoutMs });
  if (installed.code !== 0) return tally.count(`project ${name}: npm install`, installed);
  const checked = await runNpm(["run", "--silent", "check"], { cwd, env, quiet: true, timeoutMs: checkTimeoutMs });
  const label = `project ${name} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`;
  if (checked.code === skippedCode) tally.skipped(label, checked.output.trim().split("\n").at(-1));
  else tally.count(label, checked);
}

/**
 * The environment in which a project's scripts find a Python with AutoGen, if the tests have one, and a Node that is new enough for it; undefined
 * where there is no such Node.
 */
async function environmentFor({ engines }) {
  const python = process.env.TROUPE_PYTHON ?? venvPython("gen3");
  const env = python === undefined ? process.env : { ...process.env, TROUPE_PYTHON: python };
  if (engines === undefined || process.features.typescript) return env;
  const node = await ensureNewerNode();
  return node && { ...env, PATH: [dirname(node), env.PATH].join(delimiter) };
}
