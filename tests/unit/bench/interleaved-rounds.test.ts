import { describe, expect, test } from "vitest";
import type { Contender } from "../../../bench/support/contender.ts";
import { measureInterleaved } from "../../../bench/support/interleaved-rounds.ts";
import { LatencyRecorder } from "../../../bench/support/latencies.ts";
import { median, spread } from "../../../bench/support/statistics.ts";

function contender(name: string, log: string[]): Contender<number> {
  return {
    name,
    start: async () => void log.push(`start ${name}`),
    measure: async (load) => {
      log.push(`${name}${load}`);
      if (name === "broken") throw new Error("it broke");
      return { perSecond: 1, p50Us: 1, p99Us: 1 };
    },
    stop: async () => void log.push(`stop ${name}`),
  };
}

const plan = { loads: [1, 64], loadText: String, rounds: 2, secondsPerRound: 1, warmUpSeconds: 1 };

describe("the benchmarks' rounds", () => {
  test("go from contender to contender, after all are started and warm", async () => {
    const log: string[] = [];
    const series = await measureInterleaved([contender("A", log), contender("B", log)], plan);
    const once = ["A1", "B1", "A64", "B64"];
    expect(log).toEqual(["start A", "start B", ...once, ...once, ...once, "stop A", "stop B"]);
    expect(series.map(({ contender, load, rounds }) => [contender, load, rounds.length])).toEqual([
      ["A", "1", 2],
      ["B", "1", 2],
      ["A", "64", 2],
      ["B", "64", 2],
    ]);
  });

  test("stop every contender when one fails", async () => {
    const log: string[] = [];
    await expect(measureInterleaved([contender("A", log), contender("broken", log)], plan)).rejects.toThrow("it broke");
    expect(log.slice(-2)).toEqual(["stop A", "stop broken"]);
  });

  test("are summed up by median, spread and percentiles", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(spread([90, 100, 110])).toBe(0.2);
    const latencies = new LatencyRecorder(100);
    for (let us = 100; us >= 1; us--) latencies.record(us);
    expect(latencies.summary()).toEqual({ p50Us: 51, p99Us: 100 });
  });
});
