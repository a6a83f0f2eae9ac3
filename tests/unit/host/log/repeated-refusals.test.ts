import { expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { RepeatedRefusals } from "../../../../src/host/log/repeated-refusals.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

it("takes a refusal for new after its time, for another reason, and once the client had the type", () => {
  const clock = new ManualClock();
  const refusals = new RepeatedRefusals(clock);
  expect(refusals.note("W", "a", "taken")).toBe(0);
  expect(refusals.note("W", "a", "taken")).toBeUndefined();
  expect(refusals.note("W", "a", "full")).toBe(1);
  clock.advance(limits.repeatedRefusalMs - 1);
  expect(refusals.note("W", "a", "full")).toBeUndefined();
  clock.advance(1);
  expect(refusals.note("W", "a", "full")).toBe(1);
  refusals.forget("W", "a");
  expect(refusals.note("W", "a", "full")).toBe(0);
});

it("remembers the newest clients and types only", () => {
  const refusals = new RepeatedRefusals(new ManualClock());
  for (let count = 0; count <= limits.rememberedRefusals; count += 1) refusals.note(`${count}`, "a", "taken");
  expect(refusals.note("1", "a", "taken")).toBeUndefined();
  expect(refusals.note("0", "a", "taken")).toBe(0);
});
