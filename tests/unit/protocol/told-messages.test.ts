import { expect, test } from "vitest";
import * as z from "zod";
import { defineMessage, type MessageType } from "../../../src/core/index.ts";
import { formatToldMessages, readToldMessages } from "../../../src/protocol/internal.ts";

const Ask = defineMessage("ToldAsk", z.object({ name: z.string() }), {
  answer: defineMessage("ToldAnswer", z.object({})),
});

const named = (typeName: string, jsonSchema?: MessageType["jsonSchema"]): MessageType => ({
  ...{ typeName, contentType: "application/json", identity: { by: "brand" }, answer: undefined },
  ...{
    is: (value): value is unknown => value === undefined,
    serialize: () => new Uint8Array(),
    deserialize: () => ({}),
  },
  jsonSchema,
});

test("messages read as they were written, with their schemas", () => {
  const told = readToldMessages(formatToldMessages([{ type: Ask, takes: "call" }]));
  expect(told).toMatchObject([
    { name: "ToldAsk", contentType: "application/json", takes: "call", answer: "ToldAnswer" },
  ]);
  expect(told?.[0]?.schema).toMatchObject({ type: "object", properties: { name: { type: "string" } } });
});

test("a worker leaves out what is too long, what can't be written, and what is too much", () => {
  const long = () => ({ description: "x".repeat(40_000) });
  const throws = () => {
    throw new Error("no schema");
  };
  const odd = [named("long", long), named("throws", throws), named("huge", () => ({ maximum: 1n }))];
  const told = readToldMessages(formatToldMessages(odd.map((type) => ({ type, takes: "event" as const }))));
  expect(told?.map(({ name, schema }) => [name, schema])).toEqual([
    ...[["long", undefined] as const, ["throws", undefined] as const, ["huge", undefined] as const],
  ]);
  const some = () => ({ description: "x".repeat(10_000) });
  const many = Array.from({ length: 300 }, (_, at) => ({ type: named(`m${at}`, some), takes: "call" as const }));
  const text = formatToldMessages(many);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(256 * 1024);
  const all = readToldMessages(text);
  // Each whole one is written as long as there is space, then those without their schemas.
  expect(all?.length).toBeGreaterThan(100);
  expect(readToldMessages(formatToldMessages(many.map((one) => ({ ...one, type: named("m") }))))?.length).toBe(200);
  expect(all?.filter(({ schema }) => schema !== undefined).length).toBeLessThan(30);
});

test("a host reads no other text of a worker", () => {
  const one = { name: "a", contentType: "c", takes: "call" };
  const wrong = [
    ...["", "{", "{}", "null", "[null]", "[[]]", JSON.stringify([{ ...one, name: 1 }])],
    ...[JSON.stringify([{ ...one, takes: "all" }]), JSON.stringify([{ ...one, name: "x".repeat(1_025) }])],
    ...[JSON.stringify(Array.from({ length: 201 }, () => one)), `[${" ".repeat(256 * 1024)}]`],
  ];
  for (const text of wrong) expect(readToldMessages(text), text.slice(0, 40)).toBeUndefined();
  const [read] = readToldMessages(JSON.stringify([{ ...one, answer: 1, schema: [], more: true }])) ?? [];
  expect(read).toEqual({ ...one, answer: undefined, schema: undefined });
});
