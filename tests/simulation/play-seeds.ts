import { afterAll, describe, expect, test } from "vitest";
import { failureText } from "./failure-text.ts";
import { makePlan } from "./make-plan.ts";
import { runPlan } from "./run-plan.ts";
import { shrink } from "./shrink.ts";
import { addReport, noTotals, totalsText } from "./totals.ts";

const seedsPerTest = 100;

/** A world with a ring of calls through an agent that leaves. The host holds one of the calls and does not find the ring, so that they time out. */
const missedRings: readonly number[] = [294];

/** Tests that play the worlds of these seeds, and hold each to every promise. `count` is a multiple of 100. */
export function playSeeds({ first, count }: { readonly first: number; readonly count: number }): void {
  const starts = Array.from({ length: count / seedsPerTest }, (_, index) => first + index * seedsPerTest);
  const totals = noTotals();
  const known = missedRings.filter((seed) => seed >= first && seed < first + count);

  describe("whatever breaks, Troupe keeps what it promises", () => {
    test.each(starts)("seeds from %d on", { timeout: 120_000 }, async (start) => {
      for (let seed = start; seed < start + seedsPerTest; seed += 1) {
        if (known.includes(seed)) continue;
        const plan = makePlan(seed);
        const report = await runPlan(plan);
        addReport(totals, report);
        if (report.breaches.length > 0) expect.fail(failureText(report, await shrink(plan, report)));
      }
    });

    if (known.length > 0) {
      test.fails.each(known)("seed %d: calls in a ring through an agent that leaves end as deadlock", async (seed) => {
        const { breaches } = await runPlan(makePlan(seed));
        expect(breaches).toEqual([]);
      });
    }

    test("all seeds are played, and on their lines messages overtook others", () => {
      expect(totals.seeds).toBe(count - known.length);
      expect(totals.overtaken).toBeGreaterThan(count);
      // Not one kind of fault is left out.
      expect(Object.keys(totals.faults).length).toBeGreaterThanOrEqual(8);
    });

    afterAll(() => {
      console.log(`Simulation: ${totalsText(totals)}`);
    });
  });
}
