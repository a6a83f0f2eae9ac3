import { spawn } from "node:child_process";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** Plays a program's worlds, from 1 to the last, in a process whose source has a planted bug. Resolves to what it prints. */
export function playWithBug(
  bug: object,
  program: string,
  lastWorld: number,
  more: readonly string[] = [],
): Promise<string> {
  const hooks = ["--import", "./tools/typescript.mjs", "--import", "./tests/simulation/cluster/plant.mjs"];
  const child = spawn(process.execPath, [...hooks, "-C", "troupe-source", program, "1", String(lastWorld), ...more], {
    cwd: root,
    env: { ...process.env, TROUPE_PLANT: JSON.stringify(bug) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  return new Promise((resolvePlay) => child.on("close", () => resolvePlay(output)));
}
