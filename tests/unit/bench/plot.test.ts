import { describe, expect, test } from "vitest";
import { growthPlot, logScale, ticksTo } from "../../../bench/support/plot.ts";

describe("a plot of growth", () => {
  test("puts every tenfold step at the same distance", () => {
    const x = logScale([10, 1_000, 100], [0, 200]);
    expect([10, 100, 1_000].map(x)).toEqual([0, 100, 200]);
  });

  test("puts a single point into the middle", () => {
    expect(logScale([10], [0, 200])(10)).toBe(100);
  });

  test("marks round figures from 0 until above the largest", () => {
    expect(ticksTo(33_546)).toEqual([0, 10_000, 20_000, 30_000, 40_000]);
    expect(ticksTo(97)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(ticksTo(0)).toEqual([0, 1]);
  });

  test("is an SVG with its texts escaped, and every point of every line", () => {
    const panels = [{ title: "Latency", unit: "µs", figures: { p50Us: "p50", p99Us: "p99 & more" } }];
    const points = [10, 100].map((at) => ({ at, figures: { p50Us: at, p99Us: 2 * at } }));
    const svg = growthPlot({ title: "a < b", axis: "sessions", panels }, points);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg).toContain("a &lt; b");
    expect(svg).toContain("p99 &amp; more");
    expect(svg.match(/<circle/g)).toHaveLength(4);
    expect(svg).not.toContain("NaN");
  });
});
