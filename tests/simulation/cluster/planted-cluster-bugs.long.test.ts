import { describe, expect, test } from "vitest";
import { playWithBug } from "../play-with-bug.ts";
import { clusterCheckers } from "./ledger.ts";
import { plantedClusterBugs } from "./planted-bugs.ts";
import { playClusters } from "./play.ts";

const program = "tests/simulation/cluster/play-planted.ts";
/** The most worlds in which a bug must show itself. */
const maxWorlds = 150;
/** The first world in which a store refuses what is saved too late. Such worlds are rare. */
const firstWithRefusals = 78;

describe("the checkers of clusters catch", () => {
  test.each(plantedClusterBugs)("$name", { timeout: 600_000 }, async (bug) => {
    const output = await playWithBug(bug, program, maxWorlds, [bug.worlds ?? "all"]);
    expect(
      bug.caughtBy.filter((checker) => output.includes(`"${checker}"`)),
      output,
    ).not.toEqual([]);
  });

  test.each(plantedClusterBugs.filter(({ needsDeletionFaults }) => needsDeletionFaults === true))(
    "only by lost and late deletions: $name",
    { timeout: 600_000 },
    async (bug) => {
      const output = await playWithBug(bug, program, maxWorlds, [bug.worlds ?? "all", "without"]);
      expect(output).toMatch(/^\d+ worlds, 0 failed, [1-9]\d* messages deleted\n$/);
    },
  );

  test("stores of states that take whatever is saved", { timeout: 600_000 }, async () => {
    const checkers: string[] = [];
    await playClusters(firstWithRefusals, maxWorlds, {
      plant: { withoutFencing: true },
      stops: true,
      onFailure: ({ breaches }) => checkers.push(...breaches.map(({ checker }) => checker)),
    });
    expect(checkers).toContain("fencing");
  });

  test("each of them has a bug that it catches", () => {
    const caught = new Set(plantedClusterBugs.flatMap(({ caughtBy }) => caughtBy));
    expect([...clusterCheckers].filter((checker) => !caught.has(checker))).toEqual([]);
  });
});
