import { expect, test } from "vitest";
import { EqualsIndex, type Scoped } from "../../../../../src/host/registry/subscriptions/equals-index.ts";

/** How often the index has looked at a value. */
let looks = 0;

class Value implements Scoped {
  readonly scope: string | undefined;
  isGone = false;

  constructor(scope: string | undefined) {
    this.scope = scope;
  }

  get isLive(): boolean {
    looks += 1;
    return !this.isGone;
  }
}

const many = 10_000;
const values = (scopeOf: (index: number) => string | undefined) =>
  Array.from({ length: many }, (_, index) => new Value(scopeOf(index)));

test("finds the live values of one scope alone", () => {
  const index = new EqualsIndex<Value>();
  const [own, other, gone] = [new Value("own"), new Value(undefined), new Value("own")];
  for (const value of [own, other, gone]) index.add("id", value);
  gone.isGone = true;
  expect(index.of("id", "own")).toEqual([own]);
  expect(index.of("id", undefined)).toEqual([other]);
  expect([...index.all("id")]).toEqual([own, other]);
  index.remove("id", own);
  expect([index.of("id", "own"), index.of("none", "own")]).toEqual([[], []]);
});

test("a look-up, an addition and a removal cost the same however many others share the id", () => {
  const index = new EqualsIndex<Value>();
  const all = values(String);
  looks = 0;
  for (const [at, value] of all.entries()) {
    expect(index.of("id", String(at))).toEqual([]);
    index.add("id", value);
  }
  for (const value of all) index.remove("id", value);
  expect(looks).toBeLessThan(3 * many);
  expect([...index.all("id")]).toEqual([]);
});

test("passes over each value that is gone once only", () => {
  const index = new EqualsIndex<Value>();
  for (const value of values(() => "scope")) {
    index.add("id", value);
    value.isGone = true;
  }
  index.add("id", new Value("scope"));
  looks = 0;
  for (let count = 0; count < 100; count += 1) expect(index.of("id", "scope")).toHaveLength(1);
  expect(looks).toBeLessThan(many + 200);
});
