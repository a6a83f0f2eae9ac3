import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { LongChecks } from "../../../src/admin/long-checks.ts";
import { checkJsonState } from "../../../src/admin/stored-states.ts";

const long = 1024 * 1024;

test("long checks run one in a turn of the event loop, and callers take turns", async () => {
  const checks = new LongChecks();
  const ran: string[] = [];
  const check = (name: string) => () => {
    ran.push(name);
    return [];
  };
  const all = [
    ...["many-1", "many-2", "many-3"].map((name) => checks.run("many", long, check(name))),
    checks.run("few", long, check("few-1")),
  ];
  expect(ran).toEqual(["many-1"]);
  const counts: number[] = [];
  while (ran.length < 4) {
    await setImmediate();
    counts.push(ran.length);
  }
  await Promise.all(all);
  expect(ran).toEqual(["many-1", "many-2", "few-1", "many-3"]);
  // No turn had two of them.
  expect(counts.every((count, at) => count - (counts[at - 1] ?? 1) <= 1)).toBe(true);
});

test("a short check waits for no long one, and a failed one lets the next begin", async () => {
  const checks = new LongChecks();
  const ran: string[] = [];
  const check = (name: string) => () => {
    ran.push(name);
    return [];
  };
  const failed = checks.run("a", long, () => {
    throw new Error("not JSON");
  });
  const next = checks.run("b", long, check("next"));
  await checks.run("c", 1_000, check("short"));
  expect(ran).toEqual(["short"]);
  await expect(failed).rejects.toThrow("not JSON");
  await next;
  expect(ran).toEqual(["short", "next"]);
  await checks.run("a", long, check("later"));
  expect(ran).toEqual(["short", "next", "later"]);
});

test("a long check has one step in a turn of the event loop", async () => {
  const checks = new LongChecks();
  let steps = 0;
  const whole = checks.run("a", long, function* () {
    for (; steps < 5; steps += 1) yield;
  });
  const counts: number[] = [];
  while (steps < 5) {
    counts.push(steps);
    await setImmediate();
  }
  await whole;
  expect(counts).toEqual([0, 1, 2, 3, 4]);
});

test("a state of 4 MiB is checked in steps of 64 KiB", () => {
  const state = Buffer.from(JSON.stringify({ text: "x".repeat(4 * long) }));
  expect([...checkJsonState(state, "The state")]).toHaveLength(Math.ceil(state.length / (64 * 1024)) - 1);
});

test.each([
  [
    "a fault at the end",
    Buffer.from(`{"text":"${"x".repeat(long)}"]`),
    /is not JSON: Unexpected character in JSON at byte/,
  ],
  ["an end that is missing", Buffer.from(`{"text":"${"x".repeat(long)}"`), /is not JSON: Unexpected end/],
  ["bytes that are no UTF-8", Buffer.concat([Buffer.alloc(long, 0x20), Buffer.from([0xff])]), /is not UTF-8/],
  ["a text alone", Buffer.from(`  "${"x".repeat(long)}"`), /not a JSON object but a string/],
  ["a list", Buffer.from(`["${"x".repeat(long)}"]`), /not a JSON object but a list/],
] as const)("a long state with %s is refused by what is wrong", (_what, state, says) => {
  expect(() => [...checkJsonState(state, "The state")]).toThrow(says);
});
