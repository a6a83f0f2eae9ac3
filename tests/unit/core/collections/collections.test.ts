import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IndexedSet, NamedIndexedSet, NumberMap } from "../../../../src/core/internal.ts";

interface Thing {
  readonly name: string;
  slot: number;
}

const thing = (name: string): Thing => ({ name, slot: 0 });

describe("an indexed set", () => {
  it("holds what came in and did not go out, as a Set does", () => {
    const steps = fc.array(fc.record({ isIn: fc.boolean(), which: fc.nat(15) }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (all) => {
        const things = Array.from({ length: 16 }, (_, at) => thing(`${at}`));
        const [set, model] = [new IndexedSet<"slot", Thing>("slot"), new Set<Thing>()];
        for (const { isIn, which } of all) {
          const one = things[which] ?? thing("");
          if (!isIn) expect(set.delete(one)).toBe(model.delete(one));
          else if (!model.has(one)) {
            model.add(one);
            set.add(one);
          }
          expect(set.size).toBe(model.size);
        }
        for (const one of things) expect(set.has(one)).toBe(model.has(one));
        expect(new Set(set.all())).toEqual(model);
      }),
    );
  });
});

describe("a named indexed set", () => {
  it("finds things by name before and after its first search, and after it was empty", () => {
    const set = new NamedIndexedSet<"slot", Thing>("slot", ({ name }) => name);
    const [first, second] = [thing("a"), thing("b")];
    set.add(first);
    expect(set.named("a")).toBe(first);
    set.add(second);
    expect(set.named("b")).toBe(second);
    expect([set.delete(first), set.delete(first)]).toEqual([true, false]);
    expect(set.named("a")).toBeUndefined();
    set.delete(second);
    set.add(first);
    expect(set.named("a")).toBe(first);
    expect(set.named("b")).toBeUndefined();
  });
});

describe("a map of numbers", () => {
  it("holds under each number what a Map holds, however they collide", () => {
    const key = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 20 }).map((at) => 1 + 64 * at),
      fc.constant(2 ** 40),
    );
    const steps = fc.array(fc.record({ isIn: fc.boolean(), key }), { maxLength: 400 });
    fc.assert(
      fc.property(steps, (all) => {
        const [map, model] = [new NumberMap<number>(), new Map<number, number>()];
        for (const [at, step] of all.entries()) {
          if (!step.isIn) expect(map.delete(step.key)).toBe(model.delete(step.key));
          else if (!model.has(step.key)) {
            model.set(step.key, at);
            map.add(step.key, at);
          }
          expect(map.get(step.key)).toBe(model.get(step.key));
        }
        expect(map.size).toBe(model.size);
        for (const [number, value] of model) expect(map.get(number)).toBe(value);
        expect(map.values().sort()).toEqual([...model.values()].sort());
      }),
    );
  });

  it("grows with what it holds, and forgets again", () => {
    const map = new NumberMap<string>();
    for (let key = 1; key <= 10_000; key += 1) map.add(key, `${key}`);
    expect(map.get(9_999)).toBe("9999");
    for (let key = 1; key <= 10_000; key += 1) expect(map.delete(key)).toBe(true);
    expect(map.size).toBe(0);
    expect(map.values()).toEqual([]);
  });

  // Side by side they would be one run that each removal walks to its end: 20 000 000 000 steps.
  it("takes out the oldest of very many first as quickly as the newest", () => {
    const map = new NumberMap<number>();
    for (let key = 1; key <= 200_000; key += 1) map.add(key, key);
    for (let key = 1; key <= 200_000; key += 1) map.delete(key);
    expect(map.size).toBe(0);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("knows nothing under %d", (key) => {
    const map = new NumberMap<string>();
    map.add(1, "one");
    expect(map.get(key)).toBeUndefined();
    expect(map.delete(key)).toBe(false);
  });
});
