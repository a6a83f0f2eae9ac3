import { describe, expect, test } from "vitest";
import { playWithBug } from "../play-with-bug.ts";
import { plantedRingBugs } from "./planted-ring-bugs.ts";

const program = "tests/simulation/rings/play-rings.ts";
/** The most worlds in which a bug must show itself. */
const maxWorlds = 100;

describe("the checkers of rings over hosts catch", () => {
  test.each(plantedRingBugs)("$name", { timeout: 300_000 }, async (bug) => {
    expect(await playWithBug(bug, program, maxWorlds)).toContain(`"${bug.caughtBy}"`);
  });
});
