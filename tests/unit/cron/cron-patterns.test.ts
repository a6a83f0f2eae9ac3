import { describe, expect, test } from "vitest";
import { cronPatterns } from "../../../src/cron/index.ts";

/** The next times of a pattern after a moment. */
function times(pattern: string, timeZone: string, after: string, count: number): readonly string[] {
  const found: string[] = [];
  for (let atMs = Date.parse(after); found.length < count; ) {
    const next = cronPatterns.next(pattern, timeZone, atMs);
    if (next === undefined) break;
    found.push(new Date(next).toISOString());
    atMs = next;
  }
  return found;
}

describe("cron patterns", () => {
  test("a time that the spring change leaves out comes once, when the clocks have changed", () => {
    expect(times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2)).toEqual([
      "2026-03-29T01:00:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
  });

  test("a time that comes twice in autumn is taken once", () => {
    expect(times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2)).toEqual([
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
  });

  test("every half hour goes on through both changes", () => {
    const halfHours = (first: string) =>
      [0, 1, 2, 3].map((n) => new Date(Date.parse(first) + n * 1_800_000).toISOString());
    const autumn = times("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:50:00Z", 4);
    expect(autumn).toEqual(halfHours("2026-10-25T00:00:00Z"));
    const spring = times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:10:00Z", 4);
    expect(spring).toEqual(halfHours("2026-03-29T00:30:00Z"));
  });

  test("seconds and names can be given", () => {
    expect(times("*/20 * * * * MON", "UTC", "2026-11-29T23:59:50Z", 2)).toEqual([
      "2026-11-30T00:00:00.000Z",
      "2026-11-30T00:00:20.000Z",
    ]);
  });

  test("a pattern that never comes has no next time", () => {
    expect(times("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", 1)).toEqual([]);
  });

  test.each([
    ["61 * * * *", "UTC"],
    ["", "UTC"],
    ["every day", "UTC"],
    ["* * * * *", "Mars/Base"],
  ])("the pattern %j in %s can't be read, and the error names it", (pattern, timeZone) => {
    const read = () => cronPatterns.next(pattern, timeZone, 0);
    expect(read).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    expect(read).toThrow(JSON.stringify(pattern));
  });

  test("many patterns can be used, although only 1,000 stay parsed", () => {
    for (let round = 0; round < 2; round += 1) {
      for (let index = 0; index < 1_100; index += 1) {
        const pattern = `${index % 60} ${index % 24} ${1 + (index % 28)} * *`;
        expect(cronPatterns.next(pattern, index % 2 === 0 ? "UTC" : "Asia/Tokyo", 0)).toBeGreaterThan(0);
      }
    }
  });
});
