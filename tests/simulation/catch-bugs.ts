import { describe, expect, test } from "vitest";
import { makePlan } from "./make-plan.ts";
import type { PlantedBug } from "./planting.ts";
import { runPlan } from "./run-plan.ts";

/** Tests that the checkers catch each bug. `maxSeeds`: so many worlds it has for showing itself. */
export function catchBugs(bugs: readonly PlantedBug[], maxSeeds: number): void {
  describe("the checkers catch", () => {
    test.each(bugs)("$name", { timeout: 300_000 }, async ({ plant, caughtBy, always, alwaysLeaves }) => {
      const complaints = new Set<string>();
      for (let seed = 1; seed <= maxSeeds && !caughtBy.some((checker) => complaints.has(checker)); seed += 1) {
        const { breaches } = await runPlan(makePlan(seed, { always, alwaysLeaves }), { plant });
        for (const { checker } of breaches) complaints.add(checker);
      }
      expect(caughtBy.filter((checker) => complaints.has(checker))).not.toEqual([]);
    });
  });
}
