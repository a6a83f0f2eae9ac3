import { expect, test } from "vitest";
import { RisingNumbers } from "../../../../src/core/collections/rising-numbers.ts";

test("finds the numbers above another one that have not been deleted, in their order", () => {
  const there = new Set<number>();
  const numbers = new RisingNumbers((number) => there.has(number));
  for (let number = 2; number <= 400; number += 2) {
    there.add(number);
    numbers.add(number);
  }
  for (const gone of [...there].filter((number) => number % 10 !== 0)) {
    there.delete(gone);
    numbers.deleted();
  }
  expect([...numbers.above(0)]).toEqual([...there]);
  expect([...numbers.above(50)][0]).toBe(60);
  expect([...numbers.above(51)][0]).toBe(60);
  expect([...numbers.above(390)]).toEqual([400]);
  expect([...numbers.above(400)]).toEqual([]);
});
