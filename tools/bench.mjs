// `npm run bench`: runs every benchmark beside all its peers, then prints the goals with what was measured.
// `npm run bench -- <name> [arguments]`: compiles and runs bench/<name>/main.ts.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureVenvs } from "./interop-venvs.mjs";
import { root, run, runNode } from "./run.mjs";
import { ensurePrograms } from "./setup.mjs";

/** In this order; `guard` is CI's. */
const all = [
  ...[
    "rpc",
    "events",
    "streams",
    "host-alone",
    "access",
    "watching",
    "in-process",
    "start",
    "memory",
    "state",
    "cluster",
    "durable",
  ],
  ...["scale", "limits", "hostile", "summary"],
];

const [name, ...args] = process.argv.slice(2);
if (name === undefined) {
  await ensurePeers();
  await ensurePrograms();
  for (const one of all) {
    console.log(`\n=== ${one}\n`);
    const { code } = await runNode(`build/bench/${one}/main.js`);
    if (code !== 0) process.exitCode = code;
  }
} else if (benchmarks().includes(name)) {
  await ensurePrograms();
  const { code } = await runNode(`build/bench/${name}/main.js`, args);
  process.exitCode = code;
} else {
  const names = benchmarks().join(", ");
  console.error(`usage: npm run bench, or npm run bench -- <name>, where <name> is one of: ${names}`);
  process.exitCode = 64;
}

/** The peers that are not npm packages, where they can be had. A benchmark names those that are absent. */
async function ensurePeers() {
  await ensureVenvs({ only: ["gen3"], log: (line) => console.log(line) });
  if (spawnSync("nats-server", ["--version"]).status === 0 || spawnSync("apt-get", ["--version"]).status !== 0) return;
  console.log("nats-server: installing Debian's package");
  const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  for (const step of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "nats-server"],
  ]) {
    const [command, ...rest] = [...sudo, "apt-get", ...step];
    await run(command, rest, { quiet: true, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  }
}

function benchmarks() {
  const folder = join(root, "bench");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((entry) => existsSync(join(folder, entry, "main.ts")));
}
