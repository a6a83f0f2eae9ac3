import { describe, expect, onTestFinished, test } from "vitest";
import { Activity, activityLimits } from "../../../src/admin/model/activity.ts";
import { LatencyHistogram } from "../../../src/admin/model/latency-histogram.ts";
import { mostTypes, TypeActivity, typeRows } from "../../../src/admin/model/type-activity.ts";
import { stepsAfter, wholeActivity } from "../../../src/admin/model/whole-activity.ts";
import type { ActivityRow, ListedHost } from "../../../src/host/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { callOccurrence, ObservedHost } from "./occurrences.ts";

const call = callOccurrence;

/** Near the present, as the steps of hosts have whole multiples of their length since 1970. */
const startMs = 1_000_000 * activityLimits.stepMs;
const firstStep = startMs / activityLimits.stepMs;

function rig() {
  const clock = new ManualClock(startMs);
  const { observers, observe, happen } = new ObservedHost();
  const activity = new Activity({ clock, observe });
  onTestFinished(() => activity.close());
  const read = (after: number, withForwarded = false) => {
    const rows = activity.rows({ steps: stepsAfter(after, activity.nowMs), withForwarded });
    return wholeActivity(
      rows.map((row) => ({ ...row, host: null })),
      { nowMs: activity.nowMs, after },
    );
  };
  return { clock, observers, activity, happen, read };
}

describe("the activity of a host", () => {
  test("is counted from the first question until half a minute after the last one", () => {
    const { clock, observers, activity, read } = rig();
    expect(observers.size).toBe(0);
    read(0);
    clock.advance(activityLimits.lingerMs - 1);
    read(0);
    clock.advance(activityLimits.lingerMs - activityLimits.stepMs);
    expect(observers.size).toBe(1);
    clock.advance(2 * activityLimits.stepMs);
    expect([observers.size, activity.isListening]).toEqual([0, false]);
    expect(read(0)).toMatchObject({ steps: [], types: [] });
  });

  test("has steps with what happened in each, and tells those that are new", () => {
    const { clock, happen, read } = rig();
    read(0);
    for (const ms of [1, 1, 1, 100]) happen(call({ ms }));
    happen(call({ outcome: "failed", code: "timed-out", ms: 5 }));
    happen(call({ outcome: "abandoned", ms: 5 }));
    happen({ at: "event", topicType: "t", delivered: 2, missed: 1 });
    clock.advance(activityLimits.stepMs);
    clock.advance(activityLimits.stepMs);
    const { step, steps } = read(0);
    expect(step).toBe(firstStep + 1);
    const counts = { calls: 6, failed: 1, abandoned: 1, events: 1, missed: 1, commits: 0, ms: activityLimits.stepMs };
    expect(steps[0]).toMatchObject({ number: firstStep, ...counts, maxMs: 100, time: new Date(startMs).toISOString() });
    expect(steps[0]?.p95Ms).toBe(100);
    expect(steps[1]).toMatchObject({ number: firstStep + 1, calls: 0, p50Ms: null, p95Ms: null, maxMs: null });
    expect(read(firstStep).steps.map(({ number }) => number)).toEqual([firstStep + 1]);
    expect(read(firstStep + 1).steps).toEqual([]);
  });

  test("keeps five minutes", () => {
    const { clock, read } = rig();
    for (let count = 0; count < activityLimits.steps + 20; count += 1) {
      read(0);
      clock.advance(activityLimits.stepMs);
    }
    expect(read(0).steps).toHaveLength(activityLimits.steps);
  });

  test("names no type that only a caller has written", () => {
    const { happen, read } = rig();
    read(0);
    happen(call({ targetId: undefined, targetType: "forged", outcome: "failed" }));
    expect(read(0).types).toMatchObject([{ type: null, calls: 1, failed: 1 }]);
  });

  test("counts calls that came from another host only for those who ask for this host alone", () => {
    const { clock, happen, read } = rig();
    read(0);
    happen(call({ ms: 5, targetType: "quick" }));
    happen(call({ ms: 50, targetType: "slow", callerId: "host → h2" }));
    clock.advance(activityLimits.stepMs);
    const [own, both] = [read(0), read(0, true)];
    expect(own.steps).toMatchObject([{ calls: 1, maxMs: 5 }]);
    expect(both.steps).toMatchObject([{ calls: 2, maxMs: 50 }]);
    expect([own.types, both.types].map((types) => types.map(({ type }) => type))).toEqual([
      ["quick"],
      ["slow", "quick"],
    ]);
  });
});

describe("the activity of several hosts", () => {
  const { stepMs } = activityLimits;
  const nowMs = startMs + 10 * stepMs + 300;
  const [h1, h2] = ["h1", "h2"].map((hostId) => ({ hostId, name: hostId }));

  function stepRow(host: ListedHost | undefined, ageMs: number, about: Partial<ActivityRow> = {}) {
    const counts = { calls: 1, failed: 0, abandoned: 0, events: 2, missed: 0, commits: 0, maxMs: 1, durations: [0, 1] };
    return { number: 1, kind: "step" as const, ageMs, ms: stepMs, type: null, ...counts, ...about, host: host ?? null };
  }

  test("is added step by step, by the age of each step, whatever the clocks of the hosts say", () => {
    const slow = { calls: 3, maxMs: 800, durations: [LatencyHistogram.bucketOf(800), 3] };
    const rows = [stepRow(h1, 300), stepRow(h1, 2_300), stepRow(h2, 900, slow), stepRow(h2, 2_900)];
    const { step, steps } = wholeActivity(rows, { nowMs, after: 0 });
    expect(step).toBe(firstStep + 9);
    expect(steps).toMatchObject([
      { number: firstStep + 8, calls: 2, events: 4, ms: stepMs, maxMs: 1 },
      { number: firstStep + 9, calls: 4, events: 4, ms: stepMs, maxMs: 800 },
    ]);
    expect(steps[1]?.p50Ms).toBeGreaterThan(700);
  });

  test("waits one step for a host that is late, and no longer", () => {
    const late = [stepRow(h1, 300), stepRow(h1, 2_300), stepRow(h2, 2_300)];
    expect(wholeActivity(late, { nowMs, after: 0 })).toMatchObject({
      step: firstStep + 8,
      steps: [{ number: firstStep + 8, calls: 2 }],
    });
    const silent = [stepRow(h1, 300), stepRow(h1, 2_300), stepRow(h2, 8_300)];
    expect(wholeActivity(silent, { nowMs, after: firstStep + 7 }).step).toBe(firstStep + 8);
    expect(wholeActivity([stepRow(h1, 300)], { nowMs, after: 0 }).step).toBe(firstStep + 9);
  });

  test("puts a step that a busy host has ended late where it ended", () => {
    const { steps } = wholeActivity([stepRow(h1, 300, { ms: 5 * stepMs })], { nowMs, after: 0 });
    expect(steps).toMatchObject([{ number: firstStep + 9, ms: 5 * stepMs }]);
  });

  test("joins the calls to a type, and has the slowest type first", () => {
    const typeRow = (host: ListedHost | undefined, type: string, ms: number) =>
      stepRow(host, 0, { kind: "type", type, maxMs: ms, durations: [LatencyHistogram.bucketOf(ms), 1] });
    const rows = [typeRow(h1, "quick", 1), typeRow(h1, "slow", 5), typeRow(h2, "slow", 90)];
    expect(wholeActivity(rows, { nowMs, after: 0 }).types).toMatchObject([
      { type: "slow", calls: 2, maxMs: 90 },
      { type: "quick", calls: 1 },
    ]);
  });

  test("is not broken by the odd numbers of another host", () => {
    const rows = [
      stepRow(h1, Number.MAX_VALUE),
      stepRow(h2, 2_300, { durations: [9_999, 5, 3], maxMs: 0 }),
      stepRow(h2, 2_400, { ms: 0 }),
    ];
    expect(wholeActivity(rows, { nowMs, after: 0 }).steps).toMatchObject([{ number: firstStep + 8, calls: 2 }]);
  });
});

describe("the activity of agent types", () => {
  const rowsAt = (types: TypeActivity, nowMs: number) => typeRows(types.durations(nowMs));

  test("has the slowest first, and forgets a type after a minute", () => {
    const types = new TypeActivity();
    types.add("quick", 1, LatencyHistogram.bucketOf(1), false);
    types.add("slow", 500, LatencyHistogram.bucketOf(500), true);
    types.passTo(30_000);
    types.add("quick", 3, LatencyHistogram.bucketOf(3), false);
    const seen = rowsAt(types, 30_000);
    expect(seen.map(({ type, calls, failed, maxMs }) => [type, calls, failed, maxMs])).toEqual([
      ["slow", 1, 1, 500],
      ["quick", 2, 0, 3],
    ]);
    expect(rowsAt(types, 60_000).map(({ type, calls }) => [type, calls])).toEqual([["quick", 1]]);
    expect([rowsAt(types, 90_000), types.size]).toEqual([[], 0]);
  });

  test("is bounded: types without a place share one row", () => {
    const types = new TypeActivity();
    for (let at = 0; at < mostTypes + 100; at += 1) types.add(`type ${at}`, 1, 0, false);
    types.add("type 0", 1, 0, false);
    expect(types.size).toBe(mostTypes + 1);
    expect(rowsAt(types, 0).find(({ type }) => type === null)).toMatchObject({ calls: 100 });
    expect(rowsAt(types, 0).find(({ type }) => type === "type 0")).toMatchObject({ calls: 2 });
  });
});

test("a quantile of durations is never too short, and at most 19 % too long", () => {
  const durations = Array.from({ length: 2_000 }, (_, at) => 0.05 * 1.01 ** at).filter((ms) => ms < 300_000);
  const histogram = new LatencyHistogram();
  for (const ms of durations) histogram.add(ms);
  for (const share of [0.01, 0.5, 0.95, 0.99, 1]) {
    const real = durations[Math.ceil(share * durations.length) - 1] ?? 0;
    const told = histogram.quantile(share) ?? 0;
    expect(told).toBeGreaterThanOrEqual(real * 0.999_999);
    expect(told).toBeLessThanOrEqual(Math.max(0.1, real * 1.2));
  }
  expect(new LatencyHistogram().quantile(0.5)).toBeUndefined();
});
