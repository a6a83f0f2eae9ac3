import { describe, expect, test } from "vitest";
import { plantedKeptBugs } from "./kept/planted-kept-bugs.ts";
import { makePlan } from "./make-plan.ts";
import { plantedBugs } from "./planted-bugs.ts";
import { runPlan } from "./run-plan.ts";

/** So many worlds a bug has for showing itself. */
const maxSeeds = 30;

describe("the checkers catch", () => {
  test.each([...plantedBugs, ...plantedKeptBugs])("$name", { timeout: 60_000 }, async ({ plant, caughtBy, always }) => {
    const complaints = new Set<string>();
    for (let seed = 1; seed <= maxSeeds && !caughtBy.some((checker) => complaints.has(checker)); seed += 1) {
      const { breaches } = await runPlan(makePlan(seed, always), { plant });
      for (const { checker } of breaches) complaints.add(checker);
    }
    expect(caughtBy.filter((checker) => complaints.has(checker))).not.toEqual([]);
  });
});
