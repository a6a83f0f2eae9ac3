import { describe, expect, onTestFinished, test } from "vitest";
import { TraceLog, traceLimits } from "../../../src/admin/model/trace-log.ts";
import { storyOf } from "../../../src/admin/model/trace-story.ts";
import type { CallOccurrence, HostOccurrence } from "../../../src/host/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { callOccurrence, ObservedHost } from "./occurrences.ts";

const call = (traceId: string | undefined, about: Partial<CallOccurrence> = {}): HostOccurrence =>
  callOccurrence({ traceId, ...about });

function rig() {
  const clock = new ManualClock();
  const { observers, observe, happen } = new ObservedHost();
  const log = new TraceLog({ clock, observe });
  onTestFinished(() => log.close());
  return { clock, observers, log, happen };
}

describe("the traces of a host", () => {
  test("are kept from the first question until half a minute after the last one", () => {
    const { clock, observers, log, happen } = rig();
    expect(observers.size).toBe(0);
    expect(log.list()).toEqual([]);
    happen(call("1"));
    happen(call(undefined));
    clock.advance(traceLimits.lingerMs - 1);
    expect(log.list().map(({ traceId, hops }) => [traceId, hops.length])).toEqual([["1", 1]]);
    clock.advance(traceLimits.lingerMs);
    expect([observers.size, log.isListening, log.bytes]).toEqual([0, false, 0]);
    expect(log.get("1")).toBeUndefined();
  });

  test("are bounded in bytes, and a client with many hides none of another client", () => {
    const { log, happen } = rig();
    log.list();
    happen(call("honest", { callerId: "honest" }));
    const targetKey = "k".repeat(256);
    for (let at = 0; at < 5_000; at += 1) happen(call(`greedy ${at}`, { callerId: "greedy", targetKey }));
    expect(log.bytes).toBeLessThanOrEqual(traceLimits.bytes);
    expect(log.bytes).toBeGreaterThan(0.9 * traceLimits.bytes);
    expect(log.get("honest")?.hops).toHaveLength(1);
    expect(log.get("greedy 0")).toBeUndefined();
    expect(log.list()[0]?.traceId).toBe("greedy 4999");
  });

  test("have a bound of hops each, and say that they are cut", () => {
    const { log, happen } = rig();
    log.list();
    for (let at = 0; at < traceLimits.hops; at += 1) happen(call("1"));
    expect(log.get("1")).toMatchObject({ isCut: false });
    happen({ at: "event", topicType: "t", delivered: 1, missed: 0, traceId: "1" });
    expect(log.get("1")).toMatchObject({ isCut: true });
    expect(log.get("1")?.hops).toHaveLength(traceLimits.hops);
  });
});

test("a hop belongs to the latest call to its sender that was under way when it came", () => {
  const hop = (startedMs: number, ms: number | null, key: string, sender?: string) => ({
    ...{ at: "call" as const, startedMs, ms, type: "t", key, topic: null, outcome: "answered", code: null },
    sender: sender === undefined ? undefined : { type: "t", key: sender },
  });
  const hops = [
    hop(15, 1, "leaf", "a"),
    hop(0, 10, "a"),
    hop(12, null, "a", "nobody"),
    hop(5, 2, "leaf", "a"),
    hop(30, 1, "leaf", "leaf"),
  ];
  const story = storyOf(hops).map(({ hop: { key }, parent, startMs }) => [key, parent, startMs]);
  expect(story).toEqual([
    ["a", null, 0],
    ["leaf", 0, 5],
    ["a", null, 12],
    ["leaf", 2, 15],
    ["leaf", null, 30],
  ]);
});
