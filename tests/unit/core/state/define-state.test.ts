import { expect, test } from "vitest";
import { z } from "zod";
import { defineState, persistentAgent } from "../../../../src/core/index.ts";
import { textOfState } from "../../../../src/core/state/state-codec.ts";

const schema = z.object({ total: z.number() });

test("what JSON can't hold in a state is named with its place", () => {
  const Anything = defineState(z.object({ total: z.unknown() }), { initial: { total: 0 } });
  const write = (total: unknown) => () => textOfState(Anything, { total });
  const cycle: Record<string, unknown> = {};
  cycle.self = [cycle];
  expect(write({ list: [1n] })).toThrow(
    expect.objectContaining({ code: "invalid-state", message: expect.stringContaining("a bigint (at total.list[0])") }),
  );
  expect(write(cycle)).toThrow("a reference back to total (at total.self[0]) has no JSON form");
});

test.each<[string, () => unknown, string]>([
  ["an initial state that does not fit", () => defineState(schema, { initial: { total: "0" } as never }), "total"],
  ["no initial state", () => defineState(schema, {} as never), "initial"],
  [
    "an initial state that JSON changes",
    () => defineState(z.object({ at: z.date() }), { initial: { at: new Date(0) } }),
    "at",
  ],
  ["a version that is no whole number", () => defineState(schema, { initial: { total: 0 }, version: 1.5 }), "1.5"],
  ["a version without a migration", () => defineState(schema, { initial: { total: 0 }, version: 2 }), "from version 1"],
  [
    "a migration from its own version",
    () => defineState(schema, { initial: { total: 0 }, migrations: { 1: (old) => old } }),
    "from version 1",
  ],
  ["an option that it does not know", () => defineState(schema, { initial: { total: 0 }, saves: 1 } as never), "saves"],
  ["an object for a schema", () => defineState({ total: 0 } as never, { initial: {} as never }), "Standard Schema"],
  [
    "a text for a schema",
    () => defineState("total" as never, { initial: {} as never }),
    "such library: defineState(z.object(",
  ],
  [
    "an initial date that JSON makes a text",
    () => defineState(z.object({ at: z.date() }), { initial: { at: new Date(0) } }),
    "z.coerce.date()",
  ],
  ["an initial state over the limit", () => defineState(schema, { initial: { total: 0 }, maxBytes: 3 }), "maxBytes"],
  [
    "an initial state that JSON can't hold",
    () => defineState(z.object({ total: z.any() }), { initial: { total: new Map() } }),
    "Declare a `json` codec",
  ],
  [
    "a schema that validates asynchronously",
    () => defineState(z.object({ total: z.number().refine(async () => true) }), { initial: { total: 0 } }),
    "synchronous",
  ],
  ["a schema for a definition", () => persistentAgent(schema as never), "defineState"],
  [
    "a class that is no agent's",
    () => persistentAgent(defineState(schema, { initial: { total: 0 } }), Map as never),
    "agent class",
  ],
  [
    "a class that has a state already",
    () => {
      const definition = defineState(schema, { initial: { total: 0 } });
      return persistentAgent(definition, class Counter extends persistentAgent(definition) {});
    },
    "The class Counter has a state already",
  ],
])("%s is refused, and the error says why", (_what, declare, hint) => {
  expect(declare).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  expect(declare).toThrow(hint);
});

test("a definition keeps a copy of its initial state", () => {
  const initial = { total: 1 };
  const definition = defineState(schema, { initial });
  initial.total = 2;
  expect(definition.initial).toEqual({ total: 1 });
});
