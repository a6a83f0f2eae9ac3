import { inspect } from "node:util";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type } from "arktype";
import { classMessage, defineMessage, type JsonCodec, pythonJson, TroupeError } from "troupe";
import { protobufMessage } from "troupe/protobuf";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { CodecRegistry, messageTypeText } from "../../../../src/core/internal.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const containing = (part: string) => expect.stringContaining(part);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

const Greeting = defineMessage("Greeting", z.object({ content: z.string() }));

describe("a defined message", () => {
  test("is an object of its own type that shows only its fields", () => {
    const greeting = Greeting({ content: "hi" });
    expect(greeting instanceof Greeting).toBe(true);
    expect(Greeting.is(greeting)).toBe(true);
    expect(greeting).toEqual({ content: "hi" });
    expect({ ...greeting }).toStrictEqual({ content: "hi" });
    expect(Object.keys(greeting)).toEqual(["content"]);
    expect(JSON.stringify(greeting)).toBe('{"content":"hi"}');
    expect(inspect(greeting)).toBe("Greeting { content: 'hi' }");
    expect(messageTypeText(greeting)).toBe("Greeting");
    expect(Greeting.typeName).toBe("Greeting");
    expect(Greeting.name).toBe("Greeting");
  });

  test("is not of another type with the same fields, and a plain object is of none", () => {
    const Farewell = defineMessage("Farewell", z.object({ content: z.string() }));
    expect(Farewell.is(Greeting({ content: "hi" }))).toBe(false);
    expect(Greeting.is({ content: "hi" })).toBe(false);
    expect(Greeting({ content: "hi" }) instanceof Farewell).toBe(false);
  });

  test("is validated when it is made, with every issue in the error", () => {
    const Order = defineMessage("Order", z.object({ item: z.string(), at: z.object({ row: z.number() }) }));
    const make = () => Order({ item: 5, at: { row: "x" } } as never);
    expect(make).toThrow(TroupeError);
    expect(make).toThrow(expect.objectContaining({ code: "invalid-message" }));
    expect(make).toThrow(/^Not a valid Order: item: .+; at\.row: /);
  });

  test("is validated when it arrives", () => {
    expect(() => Greeting.deserialize(bytes('{"content": 5}'))).toThrow(/^Not a valid Greeting: content: /);
    expect(() => Greeting.deserialize(bytes("null"))).toThrow(/^Not a valid Greeting: /);
    expect(() => Greeting.deserialize(bytes("{oops"))).toThrow(/^Greeting can't be read as JSON: /);
    expect(() => Greeting.deserialize(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(/^Greeting can't be read as JSON: /);
  });

  test.each([
    ["password=hunter2", "its text is not JSON"],
    ['{"content": "hunter2" hunter2', "its text is not JSON from position 22 on"],
    ['{"content": "hunter2"', /its text is not JSON from position 21 on|its text ends too early/],
    ["", "its text ends too early"],
  ])("does not quote %j in its refusal, which says what is wrong and where", (content, fault) => {
    const read = () => Greeting.deserialize(bytes(content));
    expect(read).toThrow(fault);
    expect(read).not.toThrow("hunter2");
    expect(read).toThrow(expect.objectContaining({ code: "invalid-message", cause: expect.any(SyntaxError) }));
  });

  test("is a copy: what it was made of stays as it was", () => {
    const fields = { content: "hi" };
    const greeting = Greeting(fields);
    fields.content = "changed";
    expect(greeting.content).toBe("hi");
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
  });

  test.each([
    ["zod", z.object({ content: z.string() }), '{"content":"x"}'],
    ["valibot", v.object({ content: v.string() }), '{"content":"x"}'],
    ['arktype with "+": "delete"', type({ "+": "delete", content: "string" }), '{"content":"x"}'],
    ["arktype as it is", type({ content: "string" }), '{"content":"x","extra":1}'],
  ] as const)(
    "of %s is written with the fields that the schema gives back",
    (_library, schema: StandardSchemaV1<unknown, { content: string }>, written) => {
      const A = defineMessage("A", schema);
      const fields = { content: "x", extra: 1 };
      expect(text(A.serialize(A(fields)))).toBe(written);
      expect(text(A.serialize(A.deserialize(bytes(JSON.stringify(fields)))))).toBe(written);
    },
  );

  test("may be declared with zod, valibot, arktype or any other Standard Schema", () => {
    const WithValibot = defineMessage("V", v.object({ n: v.pipe(v.number(), v.integer()) }));
    const WithArktype = defineMessage("A", type({ n: "number.integer" }));
    const own: StandardSchemaV1<{ n: number }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          typeof value === "object" && value !== null && "n" in value && value.n === 1
            ? { value: { n: 1 } }
            : { issues: [{ message: "not one", path: [{ key: "n" }] }] },
      },
    };
    const WithOwn = defineMessage("O", own);
    for (const Type of [WithValibot, WithArktype, WithOwn]) {
      expect(Type({ n: 1 })).toEqual({ n: 1 });
      expect(Type.deserialize(bytes('{"n":1}'))).toEqual({ n: 1 });
      expect(() => Type({ n: 1.5 })).toThrow(/^Not a valid [VAO]: /);
    }
    expect(text(WithArktype.serialize(WithArktype({ n: 1 })))).toBe('{"n":1}');
    expect(() => WithOwn({ n: 2 })).toThrow("Not a valid O: n: not one");
  });

  test("can't be declared with a schema that answers later", () => {
    const Later = defineMessage("Later", z.object({ name: z.string().refine(async () => true) }));
    const asynchronous: StandardSchemaV1<{ n: number }> = {
      "~standard": { version: 1, vendor: "test", validate: async () => ({ issues: [{ message: "late" }] }) },
    };
    expect(() => defineMessage("Later", asynchronous)({ n: 1 })).toThrow(/Later validates asynchronously/);
    expect(() => Later({ name: "x" })).toThrow();
  });

  test("is an object: lists and plain values are refused", () => {
    const List = defineMessage("List", z.array(z.number()));
    expect(() => List([1])).toThrow("Not a valid List: a message is an object with named fields.");
    // @ts-expect-error text is no object
    const Text = defineMessage("Text", z.string());
    expect(() => Text("x" as never)).toThrow("a message is an object");
  });

  test("can't have its prototype replaced by what arrives", () => {
    const Loose = defineMessage("Loose", type({ n: "number" }));
    expect(() => Loose.deserialize(bytes('{"n": 1, "__proto__": {"admin": true}}'))).toThrow("Not a valid Loose");
  });

  test.each([undefined, null, {}, { content: "string" }, "text", class {}])(
    "needs a schema, which %o is not",
    (schema) => {
      expect(() => defineMessage("Greeting", schema as never)).toThrow(
        expect.objectContaining({ code: "invalid-argument", message: containing("Greeting is not a Standard Schema") }),
      );
    },
  );

  test("needs a message type for its answer", () => {
    const answer = z.object({}) as never;
    expect(() => defineMessage("Ask", z.object({}), { answer })).toThrow("The answer of Ask must be a message type");
  });

  test("needs a name", () => {
    expect(() => defineMessage("", z.object({}))).toThrow("needs a name");
  });

  test("has no name that begins as Troupe's own do, however it is declared", () => {
    class Started {}
    const own = { ...classMessage("Started", Started), typeName: "TroupeStartRun" };
    const declared = [
      () => defineMessage("TroupeStartRun", z.object({})),
      () => classMessage("TroupeStartRun", Started),
      () => protobufMessage(DurationSchema, { typeName: "TroupeStartRun" }),
      () => new CodecRegistry().add(own),
    ];
    const text = `The message type "TroupeStartRun" is reserved: names that begin with Troupe belong to Troupe. Choose another name.`;
    for (const declare of declared) {
      expect(declare).toThrow(expect.objectContaining({ code: "invalid-argument", message: text }));
    }
    expect(defineMessage("OldTroupe", z.object({})).typeName).toBe("OldTroupe");
  });
});

describe("JSON", () => {
  test("is read in the style of Python and in the compact one [§8.137]", () => {
    const Both = defineMessage("Both", z.object({ text: z.string(), n: z.number().nullable() }));
    const expected = { text: "é", n: null };
    expect(Both.deserialize(bytes('{"text": "\\u00e9", "n": null}'))).toEqual(expected);
    expect(Both.deserialize(bytes('{"text":"é","n":null}'))).toEqual(expected);
    expect(Both.deserialize(bytes('\ufeff{"text":"é","n":null}'))).toEqual(expected);
    expect(text(Both.serialize(Both({ text: "é", n: null })))).toBe('{"text":"é","n":null}');
  });

  test("takes the schema's defaults and transformations, and leaves undeclared fields out", () => {
    const Full = defineMessage("Full", z.object({ at: z.coerce.date(), note: z.string().nullable().default(null) }));
    const full = Full({ at: "2026-01-02T03:04:05.000Z", extra: 1 } as never);
    expect(full).toEqual({ at: new Date("2026-01-02T03:04:05Z"), note: null });
    expect(text(Full.serialize(full))).toBe('{"at":"2026-01-02T03:04:05.000Z","note":null}');
    expect(Full.deserialize(Full.serialize(full))).toEqual(full);
  });

  test("refuses what it would lose, naming where it is", () => {
    const Anything = defineMessage("Anything", z.object({ value: z.unknown() }));
    const serialize = (value: unknown) => () => Anything.serialize(Anything({ value }));
    expect(serialize({ deep: [1, Number.NaN] })).toThrow(
      "Anything can't be written as JSON: NaN (at value.deep[1]) has no JSON form. Declare a `json` codec",
    );
    expect(serialize(Number.POSITIVE_INFINITY)).toThrow("Infinity (at value)");
    expect(serialize(new Uint8Array(2))).toThrow("a Uint8Array (at value)");
    expect(serialize(Buffer.from("x"))).toThrow("a Buffer (at value)");
    expect(serialize(new Map())).toThrow("a Map (at value)");
    expect(serialize(new Set())).toThrow("a Set (at value)");
    expect(serialize(() => 1)).toThrow("a function (at value)");
    expect(serialize({ deep: [1n] })).toThrow("a bigint (at value.deep[0]) has no JSON form");
    const cycle: { self?: unknown } = {};
    cycle.self = { list: [cycle] };
    expect(serialize(cycle)).toThrow("a reference back to value (at value.self.list[0]) has no JSON form");
  });

  test.each<[unknown, string]>([
    [{ deep: [new Date(Number.NaN)] }, "an invalid Date (at value.deep[0])"],
    [["a", undefined], "undefined (at value[1])"],
    [new Array(1), "undefined (at value[0])"],
    [[() => 1], "a function (at value[0])"],
    [new Error("x"), "an instance of Error (at value)"],
    [/x/, "an instance of RegExp (at value)"],
    [Promise.resolve(), "an instance of Promise (at value)"],
    [{ deep: new (class Purse {})() }, "an instance of Purse (at value.deep)"],
  ])("refuses what it would change without a word: %o", (value, loss) => {
    for (const json of [undefined, pythonJson]) {
      const Anything = defineMessage("Anything", z.object({ value: z.unknown() }), { json });
      expect(() => Anything.serialize(Anything({ value }))).toThrow(`${loss} has no JSON form`);
    }
  });

  test("writes messages within messages, objects without a prototype, and whatever has a form of its own", () => {
    const Anything = defineMessage("Anything", z.object({ value: z.unknown() }));
    const written = (value: unknown) => text(Anything.serialize(Anything({ value })));
    expect(written([Greeting({ content: "hi" })])).toBe('{"value":[{"content":"hi"}]}');
    expect(written(Object.assign(Object.create(null), { a: 1 }))).toBe('{"value":{"a":1}}');
    expect(written(new URL("https://example.org/"))).toBe('{"value":"https://example.org/"}');
    expect(written({ left: undefined })).toBe('{"value":{}}');
    expect(written({ toJSON: () => "own" })).toBe('{"value":"own"}');
  });

  test("may be the codec a user gives", () => {
    const big: JsonCodec = {
      parse: (json) => JSON.parse(json, (_key, value) => (typeof value === "string" ? BigInt(value) : value)),
      stringify: (value) => JSON.stringify(value, (_key, field) => (typeof field === "bigint" ? String(field) : field)),
    };
    const Big = defineMessage("Big", z.object({ n: z.bigint() }), { json: big });
    const value = Big({ n: 2n ** 70n });
    expect(Big.deserialize(Big.serialize(value))).toEqual(value);
  });
});

describe("what a toJSON gives is checked like the rest", () => {
  const Anything = defineMessage("Anything", z.object({ value: z.unknown() }));
  const given = (what: unknown) => ({ toJSON: () => what });
  class Inner {
    a = 1;
  }

  test.each<[unknown, string]>([
    [given(Number.NaN), "NaN (at value)"],
    [given({ amount: Number.NaN }), "NaN (at value.amount)"],
    [given({ tags: new Map([["a", 1]]) }), "a Map (at value.tags)"],
    [given(new Set()), "a Set (at value)"],
    [given([1, undefined]), "undefined (at value[1])"],
    [given(new Inner()), "an instance of Inner (at value)"],
    [given(new Date(0)), "an instance of Date (at value)"],
    [[given({ deep: given(Infinity) })], "Infinity (at value[0].deep)"],
    [given(() => 1), "a function (at value)"],
  ])("%j is refused: %s", (value, text) => {
    expect(() => Anything.serialize(Anything({ value }))).toThrow(text);
  });

  test("what JSON can hold is written", () => {
    const itself = new (class {
      a = 1;
      toJSON() {
        return this;
      }
    })();
    for (const value of [
      given("text"),
      given({ a: [1, null] }),
      itself,
      new Date(0),
      new URL("http://x/"),
      given(null),
    ]) {
      const bytes = Anything.serialize(Anything({ value }));
      expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual(JSON.parse(JSON.stringify({ value })));
    }
  });

  test("a message that writes itself is checked, too", () => {
    const Own = classMessage<{ toJSON?: () => unknown }>("Own", class Own {});
    const make = (what: unknown) => Object.assign(Own.deserialize(new TextEncoder().encode("{}")), given(what));
    expect(new TextDecoder().decode(Own.serialize(make({ a: 1 })))).toBe('{"a":1}');
    expect(() => Own.serialize(make({ a: Number.NaN }))).toThrow("NaN (at a)");
  });
});

describe("code of a user that throws while a message is read or written", () => {
  const boom = (): never => {
    throw new TypeError("Cannot read properties of undefined");
  };
  const invalid = expect.objectContaining({
    name: "TroupeError",
    code: "invalid-message",
    cause: expect.any(TypeError),
  });

  test("is invalid-message, not a raw TypeError", () => {
    const schema = { "~standard": { version: 1, vendor: "mine", validate: boom } } as const;
    const Transformed = defineMessage("Transformed", schema);
    expect(() => Transformed({ a: 1 })).toThrow(invalid);
    const Made = classMessage("Made", Date, { fromJson: boom, toJson: boom });
    expect(() => Made.deserialize(new TextEncoder().encode("{}"))).toThrow(invalid);
    expect(() => Made.serialize(new Date())).toThrow(invalid);
  });
});
