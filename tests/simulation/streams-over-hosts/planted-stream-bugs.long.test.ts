import { describe, expect, test } from "vitest";
import { playWithBug } from "../play-with-bug.ts";
import { plantedStreamBugs } from "./planted-stream-bugs.ts";

const program = "tests/simulation/streams-over-hosts/play-streams.ts";
/** The most worlds in which a bug must show itself. */
const maxWorlds = 100;

describe("the checkers of streams over hosts catch", () => {
  test.each(plantedStreamBugs)("$name", { timeout: 300_000 }, async (bug) => {
    expect(await playWithBug(bug, program, maxWorlds)).toContain(`"${bug.caughtBy}"`);
  });
});
