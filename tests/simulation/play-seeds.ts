import { afterAll, describe, expect, test } from "vitest";
import { failureText } from "./failure-text.ts";
import { makePlan } from "./make-plan.ts";
import { runPlan } from "./run-plan.ts";
import { shrink } from "./shrink.ts";
import { addReport, noTotals, totalsText } from "./totals.ts";

const seedsPerTest = 20;

/** Tests that play the worlds of these seeds, and hold each to every promise. `count` is a multiple of 20. */
export function playSeeds({ first, count }: { readonly first: number; readonly count: number }): void {
  const starts = Array.from({ length: count / seedsPerTest }, (_, index) => first + index * seedsPerTest);
  const totals = noTotals();

  describe("whatever breaks, Troupe keeps what it promises", () => {
    test.each(starts)("seeds from %d on", { timeout: 120_000 }, async (start) => {
      for (let seed = start; seed < start + seedsPerTest; seed += 1) {
        const plan = makePlan(seed);
        const report = await runPlan(plan);
        addReport(totals, report);
        if (report.breaches.length > 0) expect.fail(failureText(report, await shrink(plan, report)));
      }
    });

    test("all seeds are played, and on their lines messages overtook others", () => {
      expect(totals.seeds).toBe(count);
      expect(totals.overtaken).toBeGreaterThan(count);
      expect(totals.streams).toBeGreaterThan(count);
      expect(totals.chunks).toBeGreaterThan(10 * count);
      // Not one kind of fault is left out.
      expect(Object.keys(totals.faults).length).toBeGreaterThanOrEqual(8);
    });

    afterAll(() => {
      console.log(`Simulation: ${totalsText(totals)}`);
    });
  });
}
