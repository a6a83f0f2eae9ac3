import { expect, test } from "vitest";
import { type Due, DueHeap } from "../../../../../src/core/delivery/calls/due-heap.ts";
import { seededRandom } from "../../../../../src/testing/seeded-random.ts";

test("a heap tells its items by their due times, after items were added and removed", () => {
  const { next: random } = seededRandom(7);
  const heap = new DueHeap<Due>();
  const items: Due[] = [];
  for (let dueOrder = 0; dueOrder < 2_000; dueOrder += 1) {
    const item = { dueMs: Math.floor(random() * 100), dueOrder, duePlace: -1 };
    heap.add(item);
    items.push(item);
    if (random() < 0.3) for (const gone of items.splice(Math.floor(random() * items.length), 1)) heap.remove(gone);
  }
  const sorted = [...items].sort((a, b) => a.dueMs - b.dueMs || a.dueOrder - b.dueOrder);
  expect([...heap.inOrder()]).toEqual(sorted);
  expect(heap.first).toBe(sorted[0]);
  expect(heap.size).toBe(items.length);
});

test("a heap looks at few items when few are asked for", () => {
  const heap = new DueHeap<Due>();
  let looks = 0;
  for (let dueMs = 0; dueMs < 10_000; dueMs += 1) {
    const item = {
      get dueMs() {
        looks += 1;
        return dueMs;
      },
      ...{ dueOrder: dueMs, duePlace: -1 },
    };
    heap.add(item);
  }
  looks = 0;
  const found: number[] = [];
  for (const { dueOrder } of heap.inOrder()) if (found.push(dueOrder) === 10) break;
  expect(found).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(looks).toBeLessThan(50);
});
