import { describe, expect, test } from "vitest";
import { formatRule, ruleOf } from "../../../../../src/core/courier/reminders/reminder-rule.ts";
import type { ReminderOptions, When } from "../../../../../src/core/courier/reminders/when.ts";
import { cronPatterns } from "../../../../../src/cron/index.ts";
import { type DueQuery, MemoryStateStore, StoreError } from "../../../../../src/storage/index.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { frame, handled, Lab, startMs, turn } from "../courier-lab.ts";

const dayMs = 24 * 60 * 60 * 1_000;

/** A clock whose wall time can be set. */
class SetClock extends ManualClock {
  aheadMs = 0;

  override wallNow(): number {
    return super.wallNow() + this.aheadMs;
  }
}

/** A courier over such a clock, which answers at once. It notes what fires, and when by the clock that always advances. */
async function startLab(options: { clock?: SetClock; memory?: MemoryStateStore } = {}) {
  const clock = options.clock ?? new SetClock(startMs);
  const lab = await Lab.started({ ...options, clock, cron: cronPatterns });
  const fired: { readonly key: string; readonly atMs: number; readonly tick: number | undefined }[] = [];
  lab.answer = ({ agent: { key }, reminder }) => {
    expect(clock.wallNow()).toBeGreaterThanOrEqual(reminder?.dueAt.getTime() ?? 0);
    fired.push({ key, atMs: clock.now() - startMs, tick: reminder?.tick });
    return handled;
  };
  const remind = (key: string, when: When, options: ReminderOptions = {}) => {
    const rule = ruleOf(when, options, clock.wallNow(), cronPatterns);
    const change = { at: "set", name: "one", dueMs: rule.dueMs, rule: formatRule(rule), message: frame } as const;
    return lab.commit({ agent: { type: "a", key }, reminders: [change] });
  };
  const pass = (ms: number) => {
    const endMs = clock.now() + ms;
    return lab.until(() => clock.now() >= endMs, Math.min(ms, 10_000));
  };
  return { lab, clock, fired, remind, pass };
}

describe.each([1, 400])("when the wall clock is set back by %i days", (days) => {
  test("a reminder that is set after that fires at its time", async () => {
    const { clock, fired, remind, pass } = await startLab();
    await pass(60_000);
    clock.aheadMs = -days * dayMs;
    await remind("x", { after: "5m" });
    await pass(400_000);
    expect(fired.map(({ key }) => key)).toEqual(["x"]);
  });

  test("a reminder that skips missed ticks fires, though the clock was ahead when the courier started", async () => {
    const clock = new SetClock(startMs);
    clock.aheadMs = days * dayMs;
    const { fired, remind, pass } = await startLab({ clock });
    await pass(60_000);
    clock.aheadMs = 0;
    await remind("x", { after: "5m" }, { missed: "skip" });
    await pass(400_000);
    expect(fired.map(({ key }) => key)).toEqual(["x"]);
  });

  test("periodic reminders that fired while the clock was ahead go on with the period that they have, each tick once", async () => {
    const { clock, fired, remind, pass } = await startLab();
    await remind("hourly", { every: "1h" });
    await remind("pattern", { cron: "0 * * * *" });
    await remind("later", { every: "1h", from: new Date(startMs + 10 * dayMs) });
    await pass(60_000);
    clock.aheadMs = days * dayMs;
    await pass(60_000);
    const early = fired.splice(0);
    expect(early.filter(({ key }) => key !== "later").map(({ key }) => key)).toEqual(["hourly", "pattern"]);
    clock.aheadMs = 0;
    await pass(4 * 3_600_000);
    for (const key of ["hourly", "pattern"]) {
      const own = fired.filter((one) => one.key === key);
      expect(own.map(({ atMs }) => Math.floor(atMs / 3_600_000))).toEqual([1, 2, 3, 4]);
      const ticks = [...early, ...own].filter((one) => one.key === key).map(({ tick = 0 }) => tick);
      expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
    }
  });

  test("a tick whose handler runs meanwhile is followed by the next one of its period", async () => {
    const { lab, clock, fired, remind, pass } = await startLab();
    const answer = lab.answer;
    lab.answer = undefined;
    await remind("hourly", { every: "1h" });
    await remind("pattern", { cron: "0 * * * *" });
    clock.aheadMs = days * dayMs;
    await lab.until(() => lab.calls.rest.length === 2, 10_000);
    clock.aheadMs = 0;
    await pass(60_000);
    lab.answer = answer;
    for (const call of await lab.calls.takeMany(2)) call.end(handled);
    await pass(2 * 3_600_000);
    expect(fired.map(({ key }) => key).sort()).toEqual(["hourly", "hourly", "pattern", "pattern"]);
  });

  test("periodic reminders go on after a restart, if the store was opened while the clock was ahead", async () => {
    const clock = new SetClock(startMs);
    const memory = new MemoryStateStore({ clock });
    clock.aheadMs = days * dayMs;
    const first = await startLab({ clock, memory });
    await first.remind("hourly", { every: "1h" });
    await first.pass(3_700_000);
    expect(first.fired).toHaveLength(1);
    first.lab.courier.stop();
    await memory.close();
    clock.aheadMs = 0;
    const { fired, pass } = await startLab({ clock, memory: memory.reopen() });
    await pass(2 * 3_600_000);
    expect(fired.map(({ key }) => key)).toEqual(["hourly", "hourly"]);
  });
});

test("a store that fails when the clock was set back is asked again after 2 s, as the log says", async () => {
  const clock = new SetClock(startMs);
  let failures = 1;
  /** Fails when all reminders are read. */
  class FailingStore extends MemoryStateStore {
    override async due(query: DueQuery) {
      if (query.beforeMs < Number.MAX_SAFE_INTEGER || failures === 0) return super.due(query);
      // The reading of those that are due soon has ended by then.
      for (let turns = 0; turns < 5; turns += 1) await turn();
      failures -= 1;
      throw new StoreError("unavailable", "The disk is gone.");
    }
  }
  const { lab, fired, remind, pass } = await startLab({ clock, memory: new FailingStore({ clock }) });
  await remind("hourly", { every: "1h" });
  clock.aheadMs = dayMs;
  await pass(60_000);
  expect(fired).toHaveLength(1);
  clock.aheadMs = 0;
  await pass(30_000);
  while (failures > 0) await turn();
  await turn();
  const failedAtMs = clock.now();
  const dueMs = async () => (await lab.memory.reminders({ type: "a", key: "hourly" }))[0]?.dueMs ?? 0;
  while ((await dueMs()) > startMs + dayMs) await pass(500);
  expect(clock.now() - failedAtMs).toBeLessThanOrEqual(2_500);
  expect(lab.logger.texts("error")).toEqual([
    "The state store can't read or write reminders; it is asked again in 2 s",
  ]);
});
