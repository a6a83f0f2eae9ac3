import { expect, it } from "vitest";
import { FairShare } from "../../../../src/transport/accounting/fair-share.ts";

function fill(share: FairShare, party: string): number {
  let count = 0;
  for (; share.mayAdd(party); count += 1) share.add(party);
  return count;
}

it("is two thirds for a party that is alone, and leaves a newcomer its part, whoever came before", () => {
  const share = new FairShare(900);
  expect(fill(share, "a")).toBe(600);
  expect(fill(share, "b")).toBe(200);
  expect(fill(share, "c")).toBeGreaterThan(60);
  expect(share.mayAdd("a")).toBe(false);
});

it("is free again when its party gives it back", () => {
  const share = new FairShare(3);
  expect(fill(share, "a")).toBe(2);
  share.remove("a");
  share.remove("a");
  expect(fill(share, "b")).toBe(2);
});

it.each([1, 2])("is all for a bound of %d", (max) => {
  expect(fill(new FairShare(max), "a")).toBe(max);
});

it("counts amounts as it counts places", () => {
  const share = new FairShare(900);
  expect(share.mayAdd("a", 901)).toBe(false);
  share.add("a", 500);
  expect([share.mayAdd("a", 300), share.mayAdd("a", 301), share.mayAdd("b", 400), share.mayAdd("b", 401)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  share.remove("a", 500);
  expect(share.mayAdd("b", 900)).toBe(true);
});
