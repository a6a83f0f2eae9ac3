import { describe, expect, onTestFinished, test } from "vitest";
import { Activity, activityLimits } from "../../../src/admin/model/activity.ts";
import { LatencyHistogram } from "../../../src/admin/model/latency-histogram.ts";
import { mostTypes, TypeActivity } from "../../../src/admin/model/type-activity.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { callOccurrence, ObservedHost } from "./occurrences.ts";

const call = callOccurrence;

function rig() {
  const clock = new ManualClock();
  const { observers, observe, happen } = new ObservedHost();
  const activity = new Activity({ clock, observe });
  onTestFinished(() => activity.close());
  return { clock, observers, activity, happen };
}

describe("the activity of a host", () => {
  test("is counted from the first question until half a minute after the last one", () => {
    const { clock, observers, activity } = rig();
    expect(observers.size).toBe(0);
    activity.read(0);
    clock.advance(activityLimits.lingerMs - 1);
    activity.read(0);
    clock.advance(activityLimits.lingerMs - activityLimits.stepMs);
    expect(observers.size).toBe(1);
    clock.advance(2 * activityLimits.stepMs);
    expect([observers.size, activity.isListening]).toEqual([0, false]);
    expect(activity.read(0)).toMatchObject({ steps: [], types: [] });
  });

  test("has steps with what happened in each, and tells those that are new", () => {
    const { clock, activity, happen } = rig();
    activity.read(0);
    for (const ms of [1, 1, 1, 100]) happen(call({ ms }));
    happen(call({ outcome: "failed", code: "timed-out", ms: 5 }));
    happen(call({ outcome: "abandoned", ms: 5 }));
    happen({ at: "event", topicType: "t", delivered: 2, missed: 1 });
    clock.advance(activityLimits.stepMs);
    clock.advance(activityLimits.stepMs);
    const { step, steps } = activity.read(0);
    expect(step).toBe(2);
    const counts = { calls: 6, failed: 1, abandoned: 1, events: 1, missed: 1, commits: 0, ms: activityLimits.stepMs };
    expect(steps[0]).toMatchObject({ number: 1, ...counts, maxMs: 100 });
    expect(steps[0]?.p95Ms).toBe(100);
    expect(steps[1]).toMatchObject({ number: 2, calls: 0, p50Ms: null, p95Ms: null, maxMs: null });
    expect(activity.read(1).steps.map(({ number }) => number)).toEqual([2]);
    expect(activity.read(2).steps).toEqual([]);
  });

  test("keeps five minutes", () => {
    const { clock, activity } = rig();
    for (let count = 0; count < activityLimits.steps + 20; count += 1) {
      activity.read(0);
      clock.advance(activityLimits.stepMs);
    }
    expect(activity.read(0).steps).toHaveLength(activityLimits.steps);
  });

  test("names no type that only a caller has written", () => {
    const { activity, happen } = rig();
    activity.read(0);
    happen(call({ targetId: undefined, targetType: "forged", outcome: "failed" }));
    expect(activity.read(0).types).toMatchObject([{ type: null, calls: 1, failed: 1 }]);
  });
});

describe("the activity of agent types", () => {
  test("has the slowest first, and forgets a type after a minute", () => {
    const types = new TypeActivity();
    types.add("quick", 1, LatencyHistogram.bucketOf(1), false);
    types.add("slow", 500, LatencyHistogram.bucketOf(500), true);
    types.passTo(30_000);
    types.add("quick", 3, LatencyHistogram.bucketOf(3), false);
    const seen = types.rows(30_000);
    expect(seen.map(({ type, calls, failed, maxMs }) => [type, calls, failed, maxMs])).toEqual([
      ["slow", 1, 1, 500],
      ["quick", 2, 0, 3],
    ]);
    expect(types.rows(60_000).map(({ type, calls }) => [type, calls])).toEqual([["quick", 1]]);
    expect([types.rows(90_000), types.size]).toEqual([[], 0]);
  });

  test("is bounded: types without a place share one row", () => {
    const types = new TypeActivity();
    for (let at = 0; at < mostTypes + 100; at += 1) types.add(`type ${at}`, 1, 0, false);
    types.add("type 0", 1, 0, false);
    expect(types.size).toBe(mostTypes + 1);
    expect(types.rows(0).find(({ type }) => type === null)).toMatchObject({ calls: 100 });
    expect(types.rows(0).find(({ type }) => type === "type 0")).toMatchObject({ calls: 2 });
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
