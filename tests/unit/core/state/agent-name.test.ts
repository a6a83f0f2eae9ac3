import fc from "fast-check";
import { expect, test } from "vitest";
import { shardOf } from "../../../../src/core/internal.ts";
import { compareBytes, textOfName } from "../../../../src/core/state/agent-name.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom("", "a", "/", "1:", "\0", "é", "\ud7ff", "\ue000", "\uffff", "😀"))
    .map((all) => all.join("")),
);

test("texts are in the order of their bytes in UTF-8", () => {
  const check = (a: string, b: string) =>
    Math.sign(compareBytes(a, b)) === Buffer.compare(Buffer.from(a), Buffer.from(b));
  fc.assert(fc.property(text, text, check));
});

test("the text of a name tells it from each other name", () => {
  const check = (a: string, b: string, c: string, d: string) =>
    (textOfName({ type: a, key: b }) === textOfName({ type: c, key: d })) === (a === c && b === d);
  fc.assert(fc.property(text, text, text, text, check));
  expect(textOfName({ type: "a/b", key: "c" })).not.toBe(textOfName({ type: "a", key: "b/c" }));
});

// Stored rows have the shard: a change of this function would lose them.
test("the shard of a name stays what it is", () => {
  const shards = [
    ["counter", "k"],
    ["", ""],
    ["writer", "7"],
    ["chat_room", "é 😀"],
    ["a", "b/c"],
    ["a/b", "c"],
  ];
  expect(shards.map(([type = "", key = ""]) => shardOf({ type, key }))).toEqual([29, 30, 24, 21, 11, 11]);
});

test("names are spread over all shards", () => {
  const counts = new Array<number>(32).fill(0);
  for (let index = 0; index < 32_000; index += 1) {
    const shard = shardOf({ type: "counter", key: String(index) });
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(800);
  expect(Math.max(...counts)).toBeLessThan(1_200);
});
