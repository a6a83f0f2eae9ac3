import fc from "fast-check";
import { expect, it } from "vitest";
import { PrefixTrie } from "../../../../../src/host/registry/subscriptions/prefix-trie.ts";

const prefixes = fc.array(fc.string({ unit: fc.constantFrom("a", "b", ":", "é"), maxLength: 12 }));

it("has at most two nodes for each prefix, and none when all have been removed in any order", () => {
  fc.assert(
    fc.property(
      prefixes.chain((added) => fc.tuple(fc.constant(added), fc.shuffledSubarray(added, { minLength: added.length }))),
      ([added, removed]) => {
        const trie = new PrefixTrie();
        for (const prefix of added) trie.add(prefix, "a");
        expect(trie.nodeCount).toBeLessThanOrEqual(2 * new Set(added).size);
        for (const prefix of removed) trie.remove(prefix, "a");
        expect(trie.nodeCount).toBe(0);
      },
    ),
  );
});

it("has as few nodes after a removal as if the prefix had never been there", () => {
  fc.assert(
    fc.property(prefixes, fc.string({ maxLength: 12 }), (kept, extra) => {
      fc.pre(!kept.includes(extra));
      const trie = new PrefixTrie();
      for (const prefix of kept) trie.add(prefix, "a");
      const before = trie.nodeCount;
      trie.add(extra, "a");
      trie.remove(extra, "a");
      expect(trie.nodeCount).toBe(before);
    }),
  );
});

it("passes over the removal of what is not there", () => {
  const trie = new PrefixTrie();
  trie.add("abc", "a");
  for (const prefix of ["", "ab", "abx", "abcd", "x"]) trie.remove(prefix, "a");
  const found: string[] = [];
  trie.visit("abcd", (agentType) => found.push(agentType));
  expect(found).toEqual(["a"]);
});
