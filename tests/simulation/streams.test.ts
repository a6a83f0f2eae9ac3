import { expect, test } from "vitest";
import { makePlan } from "./make-plan.ts";
import { runPlan } from "./run-plan.ts";
import { addReport, noTotals } from "./totals.ts";

test("streams come whole and in order, or end with their error, whatever breaks; no handler outlives its reader", {
  timeout: 120_000,
}, async () => {
  const totals = noTotals();
  const breaches: string[] = [];
  for (let seed = 201; seed <= 240; seed += 1) {
    const report = await runPlan(makePlan(seed));
    addReport(totals, report);
    breaches.push(...report.breaches.map(({ checker, text }) => `seed ${seed}: [${checker}] ${text}`));
  }
  expect(breaches).toEqual([]);
  expect(totals.streams).toBeGreaterThan(40);
  expect(totals.chunks).toBeGreaterThan(10 * totals.seeds);
});
