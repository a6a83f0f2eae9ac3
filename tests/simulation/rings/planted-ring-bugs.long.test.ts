import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { type PlantedRingBug, plantedRingBugs } from "./planted-ring-bugs.ts";

const root = resolve(import.meta.dirname, "../../..");
/** The most worlds in which a bug must show itself. */
const maxWorlds = 100;

/** Plays worlds in a process whose source has the bug; resolves to what it prints. */
function play(bug: PlantedRingBug): Promise<string> {
  const hooks = ["--import", "./tools/typescript.mjs", "--import", "./tests/simulation/cluster/plant.mjs"];
  const program = ["-C", "troupe-source", "tests/simulation/rings/play-rings.ts", "1", String(maxWorlds)];
  const child = spawn(process.execPath, [...hooks, ...program], {
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

describe("the checkers of rings over hosts catch", () => {
  test.each(plantedRingBugs)("$name", { timeout: 300_000 }, async (bug) => {
    expect(await play(bug)).toContain(`"${bug.caughtBy}"`);
  });
});
