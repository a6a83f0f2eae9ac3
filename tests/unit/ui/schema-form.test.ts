import { type } from "arktype";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { jsonSchemaOf } from "../../../src/core/serialization/json-schema.ts";
import { DraftError, draftOf, fieldOf, jsonIn, messageOf } from "../../../ui/views/send/schema-form.ts";

const order = z.object({
  item: z.string().describe("What is ordered"),
  count: z.number().int(),
  price: z.number().optional(),
  colour: z.enum(["red", "blue"]),
  isGift: z.boolean().optional(),
  note: z.string().nullable().optional(),
  to: z.object({ street: z.string(), zip: z.string().optional() }).optional(),
  tags: z.array(z.string()).optional(),
  lines: z.array(z.object({ sku: z.string() })),
  more: z.record(z.string(), z.number()).optional(),
});

describe("the form of a message", () => {
  const field = fieldOf(jsonSchemaOf(order));

  test("has a field for each member of its schema, and JSON where a form can't offer more", () => {
    if (field.kind !== "object") throw new Error(field.kind);
    expect(field.members.map((member) => [member.name, member.field.kind, member.isRequired])).toEqual([
      ...[["item", "text", true] as const, ["count", "number", true] as const, ["price", "number", false] as const],
      ...[["colour", "choice", true] as const, ["isGift", "choice", false] as const, ["note", "text", false] as const],
      ...[["to", "object", false] as const, ["tags", "list", false] as const, ["lines", "list", true] as const],
      ["more", "json", false],
    ]);
    expect(field.members[0]?.hint).toBe("What is ordered");
  });

  test("gives back the message that it shows, and leaves out what is not filled in", () => {
    const message = {
      ...{ item: "bolt", count: 3, price: 0.5, colour: "blue", isGift: false, note: "soon" },
      ...{ to: { street: "Rua Augusta" }, tags: ["a", "b"], lines: [{ sku: "1" }, { sku: "2" }], more: { x: 1 } },
    };
    expect(messageOf(field, draftOf(field, message))).toEqual(message);
    const least = { item: "bolt", count: 3, colour: "red", lines: [] };
    expect(messageOf(field, draftOf(field, least))).toEqual(least);
    for (const value of [message, least]) expect(order.parse(messageOf(field, draftOf(field, value)))).toEqual(value);
  });

  test("says which member is missing or wrong, and where it is", () => {
    const draft = (values: object) => ({ ...Object(draftOf(field)), ...values });
    const wrong: [RegExp, object][] = [
      [/^count needs a number/, {}],
      [/^count must be a whole number/, { count: "1.5" }],
      [/^colour needs one of its values/, { count: "1" }],
      [/^more is not JSON/, { count: "1", colour: "0", more: "{" }],
    ];
    for (const [text, values] of wrong) expect(() => messageOf(field, draft(values))).toThrow(text);
    expect(() => jsonIn("{", "")).toThrow(DraftError);
  });

  test("follows references, and ends at those that lead nowhere or in a circle", () => {
    const tree = {
      $ref: "#/$defs/node",
      $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
    };
    const text = JSON.stringify(fieldOf(tree));
    expect(text).toContain('{"kind":"json"}');
    expect(text.length).toBeLessThan(2_000);
    for (const $ref of ["#/$defs/none", "https://elsewhere/", "#"]) expect(fieldOf({ $ref })).toEqual({ kind: "json" });
    expect(fieldOf({ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } })).toEqual({ kind: "json" });
    for (const schema of [null, 1, [], "x", { type: "object", properties: 7, required: 7 }, { enum: {} }])
      expect(() => messageOf(fieldOf(schema), draftOf(fieldOf(schema), {}))).not.toThrow();
    const odd = fieldOf(
      JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}},"required":["__proto__"]}'),
    );
    expect(JSON.stringify(messageOf(odd, draftOf(odd, {})))).toBe('{"__proto__":""}');
  });

  test("is made of the schemas of other libraries, too", () => {
    const ark = fieldOf(jsonSchemaOf(type({ x: "number", "kind?": "'a' | 'b'" })));
    expect(messageOf(ark, draftOf(ark, { x: 1, kind: "b" }))).toEqual({ x: 1, kind: "b" });
    expect(draftOf(ark, { x: 1, kind: "b" })).toEqual({ x: "1", kind: "1" });
  });
});
