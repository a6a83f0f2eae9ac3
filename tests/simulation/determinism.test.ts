import { describe, expect, test } from "vitest";
import { makePlan } from "./make-plan.ts";
import { faultKinds } from "./plan.ts";
import { plantedBugs } from "./planted-bugs.ts";
import { runPlan } from "./run-plan.ts";
import { keepActions, shrink } from "./shrink.ts";

const seeds = Array.from({ length: 40 }, (_, index) => index + 1);

describe("the simulation", { timeout: 120_000 }, () => {
  test("plays the same story for the same seed, whatever was played before", async () => {
    const first: string[] = [];
    for (const seed of seeds) first.push((await runPlan(makePlan(seed))).hash);
    const again: string[] = [];
    for (const seed of seeds.toReversed()) again.unshift((await runPlan(makePlan(seed), { keepsLines: true })).hash);
    expect(again).toEqual(first);
  });

  test("plays another story for another seed", async () => {
    const hashes = new Set<string>();
    for (const seed of seeds) hashes.add((await runPlan(makePlan(seed))).hash);
    expect(hashes.size).toBe(seeds.length);
  });

  test("injects every kind of fault within a few dozen seeds", async () => {
    const kinds = new Set<string>();
    for (const seed of seeds) for (const kind of (await runPlan(makePlan(seed))).faults.keys()) kinds.add(kind);
    expect([...kinds].sort()).toEqual([...faultKinds].sort());
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
