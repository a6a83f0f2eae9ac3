import { expect, it } from "vitest";
import { limits } from "../../../../../src/host/limits.ts";
import { LookUps } from "../../../../../src/host/peers/places/look-ups.ts";

function setUp() {
  const answers = new Map<string, (workerId: string | undefined) => void>();
  const known: (readonly [agentType: string, isServed: boolean])[] = [];
  const lookUps = new LookUps({
    cluster: { lookUp: (agentType) => new Promise((resolve) => void answers.set(agentType, resolve)) },
    onKnown: (...answer) => known.push(answer),
  });
  return { answers, known, lookUps };
}

it("asks for a type once, however many calls wait for it", async () => {
  const { answers, known, lookUps } = setUp();
  expect([lookUps.begin("a", "x"), lookUps.begin("a", "y"), answers.size]).toEqual([true, true, 1]);
  answers.get("a")?.("W");
  await Promise.resolve();
  expect([known, lookUps.has("a")]).toEqual([[["a", true]], false]);
});

it("asks for no more than two thirds of the types for callers of one address, so that others find a place", async () => {
  const { answers, lookUps } = setUp();
  let count = 0;
  while (lookUps.begin(`type-${count}`, "10.0.0.1")) count += 1;
  expect(count).toBe(Math.floor((limits.lookUps * 2) / 3) + 1);
  expect(lookUps.begin("modest", "10.0.0.2")).toBe(true);
  answers.get("type-0")?.(undefined);
  answers.get("type-1")?.(undefined);
  await Promise.resolve();
  expect(lookUps.begin("more", "10.0.0.1")).toBe(true);
});
