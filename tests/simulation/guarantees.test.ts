import { afterAll, describe, expect, test } from "vitest";
import { failureText } from "./failure-text.ts";
import { makePlan } from "./make-plan.ts";
import { runPlan } from "./run-plan.ts";
import { shrink } from "./shrink.ts";
import { addReport, noTotals, totalsText } from "./totals.ts";

/** `npm run simulate` plays more. */
const seeds = 2_000;
const seedsPerTest = 100;

const starts = Array.from({ length: seeds / seedsPerTest }, (_, index) => index * seedsPerTest + 1);
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

  afterAll(() => {
    console.log(`Simulation: ${totalsText(totals)}`);
  });
});
