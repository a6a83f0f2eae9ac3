import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { LongChecks } from "../../../src/admin/long-checks.ts";

const long = 1024 * 1024;

test("long checks run one in a turn of the event loop, and callers take turns", async () => {
  const checks = new LongChecks();
  const ran: string[] = [];
  const check = (name: string) => () => void ran.push(name);
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
  const failed = checks.run("a", long, () => {
    throw new Error("not JSON");
  });
  const next = checks.run("b", long, () => void ran.push("next"));
  await checks.run("c", 1_000, () => void ran.push("short"));
  expect(ran).toEqual(["short"]);
  await expect(failed).rejects.toThrow("not JSON");
  await next;
  expect(ran).toEqual(["short", "next"]);
  await checks.run("a", long, () => void ran.push("later"));
  expect(ran).toEqual(["short", "next", "later"]);
});
