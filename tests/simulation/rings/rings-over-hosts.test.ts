import { expect, test } from "vitest";
import { RingWorld } from "./ring-world.ts";

test("calls that wait for each other over hosts all have an outcome, and no call fails as deadlock that could have ended", {
  timeout: 120_000,
}, async () => {
  const breaches: string[] = [];
  const sums = { overHosts: 0, givenUp: 0, deaths: 0, cuts: 0 };
  for (let seed = 1; seed <= 12; seed += 1) {
    const report = await new RingWorld(seed).run();
    breaches.push(...report.breaches.map(({ checker, text }) => `world ${seed}: [${checker}] ${text}`));
    const { overHosts, givenUp, deaths, cuts } = report.figures;
    sums.overHosts += overHosts;
    sums.givenUp += givenUp;
    sums.deaths += deaths;
    sums.cuts += cuts;
  }
  expect(breaches).toEqual([]);
  // Not one kind of trouble is left out.
  for (const count of Object.values(sums)) expect(count).toBeGreaterThan(0);
});
