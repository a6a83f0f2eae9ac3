import { expect, test } from "vitest";
import { idOfAgent, lockKeysOf, lockKeysOfAgents } from "../../../../src/storage/postgres/agent-id.ts";

test("names whose parts are divided elsewhere have other ids", () => {
  const names = [
    { type: "a", key: "bc" },
    { type: "ab", key: "c" },
    { type: "abc", key: "" },
    { type: "", key: "abc" },
  ];
  expect(new Set(names.map(idOfAgent)).size).toBe(4);
  // It is stored, and never changes.
  expect(idOfAgent({ type: "counter", key: "k" })).toBe(
    "985a67235d670442bb88384733c0c097bcb4521b2976e3b615ae9aafcba7a494",
  );
});

test("locks of agents come in one order, each once, whatever the order of the group is", () => {
  const ids = Array.from({ length: 50 }, (_, index) => idOfAgent({ type: "a", key: String(index) }));
  const { salt } = lockKeysOf("troupe");
  const keys = lockKeysOfAgents([...ids, ...ids], salt);
  expect(keys).toHaveLength(50);
  expect(lockKeysOfAgents(ids.toReversed(), salt)).toEqual(keys);
  for (const key of keys) expect(BigInt.asIntN(64, BigInt(key))).toBe(BigInt(key));
  expect(lockKeysOfAgents(ids, lockKeysOf("other").salt)).not.toEqual(keys);
});
