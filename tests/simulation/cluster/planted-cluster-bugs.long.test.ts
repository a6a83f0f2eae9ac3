import { describe, expect, test } from "vitest";
import { playWithBug } from "../play-with-bug.ts";
import { plantedClusterBugs } from "./planted-bugs.ts";

const program = "tests/simulation/cluster/play-planted.ts";
/** The most worlds in which a bug must show itself. */
const maxWorlds = 150;

describe("the checkers of clusters catch", () => {
  test.each(plantedClusterBugs)("$name", { timeout: 600_000 }, async (bug) => {
    const output = await playWithBug(bug, program, maxWorlds);
    expect(
      bug.caughtBy.filter((checker) => output.includes(`"${checker}"`)),
      output,
    ).not.toEqual([]);
  });
});
