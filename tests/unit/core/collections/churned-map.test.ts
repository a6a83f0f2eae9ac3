import { expect, test } from "vitest";
import { ChurnedMap } from "../../../../src/core/internal.ts";

test("holds what a Map holds, also after many entries have passed through", () => {
  const [churned, map] = [new ChurnedMap<number, string>(), new Map<number, string>()];
  for (let key = 0; key < 2_000; key += 1) {
    churned.set(key, `${key}`);
    map.set(key, `${key}`);
    const gone = (key * 7) % 500 < 400 ? key - (key % 5) : -1;
    expect(churned.delete(gone)).toBe(map.delete(gone));
    expect(churned.size).toBe(map.size);
  }
  expect(churned.values()).toEqual([...map.values()]);
  for (let key = 0; key < 2_000; key += 1) {
    expect(churned.get(key)).toBe(map.get(key));
    expect(churned.has(key)).toBe(map.has(key));
  }
});
