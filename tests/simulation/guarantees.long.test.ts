import { afterAll, describe, expect, test } from "vitest";
import { failureText } from "./failure-text.ts";
import { makePlan } from "./make-plan.ts";
import { runPlan } from "./run-plan.ts";
import { shrink } from "./shrink.ts";
import { addReport, noTotals, totalsText } from "./totals.ts";

/** `npm run simulate` plays more. */
const seeds = 2_000;
const seedsPerTest = 100;
/** What CI has for them. */
const longestMs = 180_000;

const starts = Array.from({ length: seeds / seedsPerTest }, (_, index) => index * seedsPerTest + 1);
const totals = noTotals();
const begunMs = performance.now();

describe("whatever breaks, Troupe keeps what it promises", () => {
  test.each(starts)("seeds from %d on", { timeout: 120_000 }, async (start) => {
    for (let seed = start; seed < start + seedsPerTest; seed += 1) {
      const plan = makePlan(seed);
      const report = await runPlan(plan);
      addReport(totals, report);
      if (report.breaches.length > 0) expect.fail(failureText(report, await shrink(plan, report)));
    }
  });

  test("all seeds are played in less than three minutes, and on their lines messages overtook others", () => {
    expect(totals.seeds).toBe(seeds);
    expect(performance.now() - begunMs).toBeLessThan(longestMs);
    expect(totals.overtaken).toBeGreaterThan(seeds);
    // Not one kind of fault is left out.
    expect(Object.keys(totals.faults).length).toBeGreaterThanOrEqual(8);
  });

  afterAll(() => {
    console.log(`Simulation: ${totalsText(totals)}`);
  });
});
