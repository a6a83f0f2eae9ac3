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
});
