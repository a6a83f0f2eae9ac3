// Builds a current nats-server with Go, for the tests on several NATS servers:
//
//   node tools/newer-nats.mjs
//
// The program is made in .servers/ (which ignores itself in git) and found there by `npm run test:newer-nats`. One that is there is left alone.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, run } from "./run.mjs";

export const newerNatsVersion = "2.15.3";

const folder = join(root, ".servers");
const suffix = process.platform === "win32" ? ".exe" : "";
const program = join(folder, `nats-server-${newerNatsVersion}${suffix}`);

/** Returns the path of the program, and builds it if need be. Undefined, with the reason printed: it can't be built here. */
export async function ensureNewerNats() {
  if (existsSync(program)) return program;
  if (spawnSync("go", ["version"]).status !== 0) {
    console.log("There is no Go to build a newer nats-server with.");
    return undefined;
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, ".gitignore"), "*\n");
  // Two runs at once each build in a folder of their own.
  const made = join(folder, `made-by-${process.pid}`);
  const source = `github.com/nats-io/nats-server/v2@v${newerNatsVersion}`;
  const { code, output } = await run("go", ["install", source], { quiet: true, env: { ...process.env, GOBIN: made } });
  if (code !== 0) {
    console.log(`nats-server ${newerNatsVersion} can't be built:\n${output.slice(-2_000)}`);
    return undefined;
  }
  renameSync(join(made, `nats-server${suffix}`), program);
  return program;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exitCode = (await ensureNewerNats()) === undefined ? 1 : 0;
}
