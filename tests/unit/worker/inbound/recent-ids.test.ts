import { describe, expect, test } from "vitest";
import { RecentIds } from "../../../../src/worker/inbound/event-delivery.ts";

describe("the ids seen last", () => {
  test("are so many, and the one that was not seen for longest goes first", () => {
    const recent = new RecentIds(2);
    expect(["a", "b", "a", "c", "a", "b"].map((id) => recent.see(id))).toEqual([
      false,
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  test("may be as long as a message, and cost no more than a short one", () => {
    const recent = new RecentIds(1_000);
    const heldBefore = process.memoryUsage().heapUsed;
    for (let count = 0; count < 400; count += 1) recent.see(`${count}${"x".repeat(500_000)}`.toUpperCase());
    expect(recent.see(`7${"x".repeat(500_000)}`.toUpperCase())).toBe(true);
    expect(process.memoryUsage().heapUsed - heldBefore).toBeLessThan(100_000_000);
  });
});
