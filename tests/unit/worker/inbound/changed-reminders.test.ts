import { expect, test } from "vitest";
import { ManualClock } from "../../../../src/testing/index.ts";
import { ChangedReminders } from "../../../../src/worker/inbound/changed-reminders.ts";

const agent = { type: "order", key: "7" };
const tick = (name: string, dueMs: number) => ({ name, dueAt: new Date(dueMs), tick: 1, missed: 0 });
const set = (name: string, dueMs: number) =>
  ({ at: "set", name, dueMs, rule: "{}", message: new Uint8Array(8) }) as const;

test("a tick of a reminder that was set again is withdrawn if it is due before the new time", () => {
  const changed = new ChangedReminders(new ManualClock());
  changed.note(agent, [{ at: "cancel", name: "a" }, set("b", 2_000)]);
  expect(["a", "b", "c"].map((name) => changed.withdraws(agent, tick(name, 1_000)))).toEqual([true, true, false]);
  expect(changed.withdraws(agent, tick("b", 2_000))).toBe(false);
  expect(changed.withdraws({ type: "order", key: "8" }, tick("a", 1_000))).toBe(false);
});

test("a reminder that was cancelled and is set elsewhere fires again after a minute", () => {
  const clock = new ManualClock();
  const changed = new ChangedReminders(clock);
  changed.note(agent, [{ at: "cancel", name: "a" }]);
  clock.advance(59_999);
  expect(changed.withdraws(agent, tick("a", 1_000))).toBe(true);
  clock.advance(1);
  expect(changed.withdraws(agent, tick("a", 1_000))).toBe(false);
});

test("cancelled reminders take a bounded place: the oldest are forgotten", () => {
  const changed = new ChangedReminders(new ManualClock());
  const names = Array.from({ length: 10_000 }, (_, at) => `reminder-${at}`);
  for (const name of names) changed.note(agent, [{ at: "cancel", name }]);
  const known = names.filter((name) => changed.withdraws(agent, tick(name, 1_000)));
  expect(known.length).toBeGreaterThan(3_000);
  expect(known.length).toBeLessThan(6_000);
  expect(known.at(-1)).toBe(names.at(-1));
});
