import { defineMessage, pythonJson } from "troupe";
import { describe, expect, test } from "vitest";
import { z } from "zod";

describe("Python's JSON", () => {
  test("reads NaN, the infinities and large integers where they are values", () => {
    expect(
      pythonJson.parse('{"a": NaN, "b": [Infinity, -Infinity], "c": 12345678901234567890, "d": -9007199254740993}'),
    ).toEqual({ a: Number.NaN, b: [Infinity, -Infinity], c: 12345678901234567890n, d: -9007199254740993n });
  });

  test("leaves text, fractions and exact integers as they are", () => {
    const text = '{"NaN": "NaN \\"Infinity\\" 12345678901234567890", "n": 1.2345678901234567890123, "e": 1e300}';
    expect(pythonJson.parse(text)).toEqual(JSON.parse(text));
    expect(pythonJson.parse('[9007199254740991, 1234567890123456.5, "x", NaN]')).toEqual([
      9007199254740991,
      1234567890123456.5,
      "x",
      Number.NaN,
    ]);
  });

  test("writes them as Python reads them, and refuses the rest as ever", () => {
    const value = { a: Number.NaN, b: [-Infinity], c: 2n ** 64n, text: "NaN", at: new Date(0) };
    const text = '{"a":NaN,"b":[-Infinity],"c":18446744073709551616,"text":"NaN","at":"1970-01-01T00:00:00.000Z"}';
    expect(pythonJson.stringify(value)).toBe(text);
    expect(pythonJson.parse(text)).toEqual({ ...value, at: "1970-01-01T00:00:00.000Z" });
    expect(() => pythonJson.stringify({ bytes: new Uint8Array(1) })).toThrow("a Uint8Array (at bytes)");
  });

  test("reads a large text in linear time, even one that is cut off", () => {
    const text = `["${'\\\\"'.repeat(500_000)}`;
    expect(() => pythonJson.parse(text)).toThrow(SyntaxError);
  });

  test("still refuses what is no JSON", () => {
    for (const text of ["{NaN: 1}", "[1NaN]", "[NaNNaN]", "{oops"])
      expect(() => pythonJson.parse(text)).toThrow(SyntaxError);
  });

  test("is needed for these values: by default one is rounded and the other can't be read", () => {
    const Reading = defineMessage("Reading", z.object({ value: z.number() }));
    const read = (json: string) => Reading.deserialize(new TextEncoder().encode(json)).value;
    expect(read('{"value": 9007199254740993}')).toBe(9007199254740992);
    expect(() => read('{"value": NaN}')).toThrow("Reading can't be read as JSON: its text is not JSON");
  });

  test("is chosen for a message type", () => {
    const Reading = defineMessage("Reading", z.object({ value: z.union([z.number(), z.nan(), z.bigint()]) }), {
      json: pythonJson,
    });
    const read = (json: string) => Reading.deserialize(new TextEncoder().encode(json)).value;
    expect(read('{"value": NaN}')).toBeNaN();
    expect(read('{"value": 99999999999999999999}')).toBe(99999999999999999999n);
  });
});

describe("Python's JSON, with texts as people's programs give them", () => {
  test("reads and writes a string of 20 million characters", () => {
    const long = 'x\\"'.repeat(20_000_000 / 3);
    const value = { long, number: Number.NaN };
    const text = pythonJson.stringify(value);
    const read = pythonJson.parse(text);
    expect(read).toHaveProperty("number", Number.NaN);
    expect(Reflect.get(Object(read), "long") === long).toBe(true);
    expect(() => pythonJson.parse(`{"n": NaN, "cut off": "${"x".repeat(20_000_000)}`)).toThrow(SyntaxError);
  });

  test("finds the end of a string whatever stands before its quote", () => {
    for (const text of ["", '"', "\\", '\\"', "\\\\", '\\\\"', "NaN", '",NaN,"', "\\u0022", 'a"b\\']) {
      const value = { [text]: [text, Number.NaN, text, -Infinity], b: text, c: 2n ** 70n };
      expect(pythonJson.parse(pythonJson.stringify(value))).toEqual(value);
    }
  });

  test("refuses an integer of more than 4,300 digits, as Python does", () => {
    expect(pythonJson.parse(`[${"9".repeat(4_300)}]`)).toEqual([10n ** 4_300n - 1n]);
    expect(() => pythonJson.parse(`[${"9".repeat(1_000_000)}]`)).toThrow("4300 digits");
  });

  test("writes what toJSON gives with its special numbers", () => {
    const price = { toJSON: () => ({ amount: Number.NaN, exact: 2n ** 64n }) };
    expect(pythonJson.stringify({ price, toJSON: "a text" })).toBe(
      '{"price":{"amount":NaN,"exact":18446744073709551616},"toJSON":"a text"}',
    );
    const lossy = { toJSON: () => ({ tags: new Map() }) };
    expect(() => pythonJson.stringify({ lossy })).toThrow("a Map (at lossy.tags)");
  });
});
