import fc from "fast-check";
import { expect, it } from "vitest";
import { BySize } from "../../../../src/core/collections/by-size.ts";

it("finds the largest of few items, whatever sizes they had", () => {
  const change = fc.record({ item: fc.nat({ max: 40 }), size: fc.integer({ min: -1, max: 5_000 }) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
      const [bySize, sizes] = [new BySize<number>(), new Map<number, number>()];
      for (const { item, size } of changes) {
        bySize.set(item, size);
        sizes.set(item, Math.max(0, size));
        const most = Math.max(...sizes.values());
        const { largest } = bySize;
        expect(largest === undefined ? 0 : sizes.get(largest)).toBe(most);
      }
      expect(bySize.count).toBe([...sizes.values()].filter((size) => size > 0).length);
    }),
  );
});

it("finds one with more than half of the largest size among many", () => {
  const bySize = new BySize<number>();
  for (let item = 0; item < 10_000; item += 1) bySize.set(item, 1_000 + item);
  const { largest = -1 } = bySize;
  expect(1_000 + largest).toBeGreaterThan(10_999 / 2);
});
