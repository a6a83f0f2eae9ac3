import { beforeAll, describe, expect, test } from "vitest";
import { makePlan } from "./make-plan.ts";
import { faultKinds } from "./plan.ts";
import { plantedBugs } from "./planted-bugs.ts";
import { runPlan } from "./run-plan.ts";
import { keepActions, shrink } from "./shrink.ts";

const seeds = Array.from({ length: 40 }, (_, index) => index + 1);

describe("the simulation", { timeout: 120_000 }, () => {
  const stories: { readonly hash: string; readonly kinds: readonly string[] }[] = [];

  beforeAll(async () => {
    for (const seed of seeds) {
      const { hash, faults } = await runPlan(makePlan(seed));
      stories.push({ hash, kinds: [...faults.keys()] });
    }
  }, 120_000);

  test("plays the same story for the same seed, whatever was played before", async () => {
    const again: string[] = [];
    for (const seed of seeds.toReversed()) again.unshift((await runPlan(makePlan(seed), { keepsLines: true })).hash);
    expect(again).toEqual(stories.map(({ hash }) => hash));
  });

  test("plays another story for another seed", () => {
    expect(new Set(stories.map(({ hash }) => hash)).size).toBe(seeds.length);
  });

  test("injects every kind of fault within a few dozen seeds", () => {
    expect([...new Set(stories.flatMap(({ kinds }) => kinds))].sort()).toEqual([...faultKinds].sort());
  });
});

describe("a failing plan", { timeout: 120_000 }, () => {
  test("is shrunk to fewer actions that fail the same way, and can be replayed from their numbers", async () => {
    const plant = plantedBugs.find(({ name }) => name === "a host that duplicates events")?.plant;
    const plan = makePlan(3);
    const failure = await runPlan(plan, { plant });
    expect(failure.breaches).not.toEqual([]);
    const { kept, report } = await shrink(plan, failure, { plant });
    expect(kept.length).toBeLessThan(plan.actions.length);
    const replayed = await runPlan(keepActions(plan, kept), { plant });
    expect(replayed.breaches).toEqual(report.breaches);
    expect(replayed.hash).toBe(report.hash);
  });
});
