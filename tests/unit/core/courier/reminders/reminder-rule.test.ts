import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterFiring,
  decideTick,
  formatRule,
  parseRule,
  type ReminderRule,
  ruleOf,
} from "../../../../../src/core/courier/reminders/reminder-rule.ts";
import type { MissedTicks, When } from "../../../../../src/core/index.ts";
import { cronPatterns } from "../../../../../src/cron/index.ts";

const cron = cronPatterns;
const hourMs = 3_600_000;
const setMs = Date.UTC(2030, 0, 1);

function rule(when: When, missed: MissedTicks = "once"): ReminderRule {
  return ruleOf(when, { missed }, setMs, cron);
}

function decide(from: ReminderRule, nowMs: number, openedMs = nowMs) {
  return decideTick(from, { nowMs, openedMs, cron });
}

/** The ticks that fire one after the other, when all of them are due at one moment. */
function ticksAt(from: ReminderRule, nowMs: number): ReminderRule[] {
  const fired: ReminderRule[] = [];
  for (let at: ReminderRule | undefined = from; at !== undefined && at.dueMs <= nowMs; ) {
    const decision = decide(at, nowMs);
    if (decision.at === "skip") return fired;
    fired.push(decision.rule);
    at = afterFiring(decision.rule, cron);
  }
  return fired;
}

describe("when a reminder is due", () => {
  test.each<[string, unknown, string]>([
    ["an invalid Date", { at: new Date(Number.NaN) }, "must be a valid Date, not an invalid Date"],
    [
      "a Date in place of a period",
      { every: new Date(0) },
      'such as "90s", "30m", "12h" or "7d", up to 100 years, not a Date',
    ],
    ["a unit that there is not", { every: "1ms" }, 'or a text such as "90s", "30m", "12h" or "7d"'],
    ["a period that is too short", { every: 1 }, "must be from 1 s to 100 years, not 1 ms"],
  ])("%s is refused, saying what may be there", (_title, when, text) => {
    expect(() => rule(when as When)).toThrow(
      expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining(text) }),
    );
  });

  test.each<[When, number]>([
    [{ after: 1_500 }, 1_500],
    [{ after: "90s" }, 90_000],
    [{ after: "1.5h" }, 1.5 * hourMs],
    [{ after: "7d" }, 7 * 24 * hourMs],
    [{ at: new Date(setMs + 5) }, 5],
    [{ at: new Date(setMs - 5) }, 0],
    [{ every: "1h" }, hourMs],
    [{ every: "1h", from: new Date(setMs + 10) }, 10],
    [{ every: "1h", from: new Date(setMs - 10) }, hourMs - 10],
    [{ every: "1h", from: new Date(setMs - hourMs) }, 0],
    [{ cron: "30 0 * * *" }, hourMs / 2],
    [{ cron: "0 9 * * *", timeZone: "Asia/Tokyo" }, 24 * hourMs],
  ])("%j is due first after %d ms", (when, ms) => {
    expect(rule(when).dueMs - setMs).toBe(ms);
  });

  test("it is due at a whole millisecond, never earlier, also on a clock that knows parts of one", () => {
    for (const when of [{ after: 1 }, { every: "1h" }, { at: new Date(setMs) }] as const)
      expect(ruleOf(when, { missed: "once" }, setMs + 0.25, cron).dueMs).toBe(rule(when).dueMs + 1);
  });

  test("a rule is read back as it was written, and another text is refused", () => {
    for (const one of [rule({ after: 1 }), rule({ every: 1_000 }, "all"), rule({ cron: "* * * * *" }, "skip")]) {
      expect(parseRule(formatRule(one))).toEqual(one);
    }
    for (const text of [
      "",
      "every 1h",
      "{}",
      '{"repeats":{"at":"weekly"},"missed":"once","dueMs":1,"tick":1,"unfired":0,"waits":0}',
    ]) {
      expect(() => parseRule(text)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    }
  });
});

describe("ticks that nobody could fire", () => {
  const late = setMs + 10.5 * hourMs;

  test.each<[string, When]>([
    ["a period", { every: "1h" }],
    ["a cron pattern", { cron: "0 * * * *" }],
  ])("of %s fire once for all, each, or not at all", (_title, when) => {
    const once = ticksAt(rule(when, "once"), late);
    expect(once.map(({ tick, unfired, dueMs }) => [tick, unfired, dueMs - setMs])).toEqual([[10, 9, 10 * hourMs]]);
    const all = ticksAt(rule(when, "all"), late);
    expect(all.map(({ tick, unfired }) => [tick, unfired])).toEqual(
      Array.from({ length: 10 }, (_, index) => [index + 1, 0]),
    );
    const skipped = decide(rule(when, "skip"), late);
    expect(skipped).toMatchObject({ at: "skip", next: { tick: 11, unfired: 10, dueMs: setMs + 11 * hourMs } });
  });

  test.each<[string, When]>([
    ["a period", { every: 1_000 }],
    ["a cron pattern", { cron: "* * * * * *" }],
  ])("of %s are at most 1,000 with all, and the others count as missed", (_title, when) => {
    const all = ticksAt(rule(when, "all"), setMs + 5_000_000);
    expect(all.length).toBeGreaterThanOrEqual(999);
    expect(all.length).toBeLessThanOrEqual(1_000);
    expect(all[0]?.unfired).toBeGreaterThanOrEqual(1_000);
    expect(all.at(-1)?.dueMs).toBe(setMs + 5_000_000);
    const [once] = ticksAt(rule(when, "once"), setMs + 5_000_000);
    expect(once?.dueMs).toBe(setMs + 5_000_000);
  });

  test("a reminder that is due once fires late, or is over with skip", () => {
    expect(decide(rule({ after: 1 }), late)).toMatchObject({ at: "fire", rule: { tick: 1, unfired: 0 } });
    expect(decide(rule({ after: 1 }, "skip"), late)).toEqual({ at: "skip", next: undefined });
  });

  test("a tick that is late while the process runs is not missed", () => {
    expect(decide(rule({ every: "1h" }, "skip"), setMs + 1.5 * hourMs, setMs)).toMatchObject({ at: "fire" });
    expect(decide(rule({ after: 1 }, "skip"), late, setMs)).toMatchObject({ at: "fire" });
  });

  test("whenever it is looked at, a period fires its own times, in order, none early and none twice", () => {
    const missed = fc.constantFrom<MissedTicks>("skip", "once", "all");
    const looks = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), isRestart: fc.boolean() }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(missed, fc.integer({ min: 1_000, max: 5_000 }), looks, (policy, periodMs, moments) => {
        let at: ReminderRule | undefined = rule({ every: periodMs }, policy);
        let [nowMs, openedMs, count] = [setMs, setMs, 0];
        for (const { afterMs, isRestart } of moments) {
          nowMs += afterMs;
          if (isRestart) openedMs = nowMs;
          while (at !== undefined && at.dueMs <= nowMs) {
            const decision = decide(at, nowMs, openedMs);
            if (decision.at === "fire") {
              const { dueMs, tick, unfired } = decision.rule;
              expect(dueMs).toBeLessThanOrEqual(nowMs);
              expect(dueMs).toBe(setMs + tick * periodMs);
              // Each tick before this one has fired, or counts as missed.
              expect(tick).toBe(count + unfired + 1);
              count = tick;
            }
            at = decision.at === "fire" ? afterFiring(decision.rule, cron) : decision.next;
          }
          expect(at?.dueMs).toBeGreaterThan(nowMs);
        }
      }),
      { numRuns: 300 },
    );
  });
});
