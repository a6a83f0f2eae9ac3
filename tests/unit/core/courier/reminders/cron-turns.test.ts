import { expect, test } from "vitest";
import { CronTurns } from "../../../../../src/core/courier/reminders/cron-turns.ts";
import { decidingTick, type ReminderRule } from "../../../../../src/core/courier/reminders/reminder-rule.ts";
import { cronPatterns } from "../../../../../src/cron/index.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";

/** Searches that take 4 ms each. */
function searches() {
  const clock = new ManualClock(0);
  let workMs = 0;
  const turns = new CronTurns({
    now: () => clock.now() + workMs,
    wallNow: () => clock.wallNow(),
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
  });
  const done: string[] = [];
  const search = (agentType: string, name: string) =>
    turns.run(agentType, () => {
      workMs += 4;
      done.push(name);
    });
  return { clock, turns, done, search };
}

test("searches for cron patterns take 10 ms of one turn, and a quarter of the time", async () => {
  const { clock, done, search } = searches();
  for (let index = 0; index < 9; index += 1) void search("a", `${index}`);
  expect(done.length).toBe(3);
  clock.advance(35);
  expect(done.length).toBe(3);
  clock.advance(1);
  expect(done.length).toBe(6);
  clock.advance(36);
  expect(done).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
});

test("one agent type with a thousand searches does not keep back the search of another", async () => {
  const { clock, done, search } = searches();
  for (let index = 0; index < 1_000; index += 1) void search("many", `${index}`);
  const other = search("other", "other");
  clock.advance(36);
  await other;
  expect(done.length).toBeLessThan(10);
});

test("a search that fails rejects, and the next ones run", async () => {
  const { turns } = searches();
  const failing = turns.run("a", () => {
    throw new Error("no pattern");
  });
  await expect(failing).rejects.toThrow("no pattern");
  await expect(turns.run("a", () => 7)).resolves.toBe(7);
});

test("a thousand missed ticks of a cron pattern are counted in steps of 20", async () => {
  const repeats = { at: "cron", pattern: "* * * * * *", timeZone: "UTC" } as const;
  const rule: ReminderRule = { repeats, missed: "once", dueMs: 1_000, tick: 1, unfired: 0, waits: 0 };
  const moment = { nowMs: 500_000, openedMs: 0, cron: cronPatterns };
  const steps = [...decidingTick(rule, moment)];
  expect(steps.length).toBe(25);
  const decision = await new CronTurns(new ManualClock(0)).runSteps("a", decidingTick(rule, moment));

  expect(decision).toMatchObject({ at: "fire", rule: { dueMs: 500_000, unfired: 499 } });
});
