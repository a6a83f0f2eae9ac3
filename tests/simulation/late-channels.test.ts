import { expect, test } from "vitest";
import { makePlan } from "./make-plan.ts";
import { runPlan } from "./run-plan.ts";
import { addReport, noTotals } from "./totals.ts";

test("an answer that rides on a commit comes behind its chunks, though the data channel is slower than the states", {
  timeout: 120_000,
}, async () => {
  const totals = noTotals();
  const breaches: string[] = [];
  for (let seed = 1; seed <= 60; seed += 1) {
    const report = await runPlan(makePlan(seed), { plant: { channelsLateMs: 20 } });
    addReport(totals, report);
    breaches.push(...report.breaches.map(({ checker, text }) => `seed ${seed}: [${checker}] ${text}`));
  }
  expect(breaches).toEqual([]);
  expect(totals.streams).toBeGreaterThan(60);
});
