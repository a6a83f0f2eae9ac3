import fc from "fast-check";
import { expect, test } from "vitest";
import { JsonScan } from "../../../src/admin/json-scan.ts";

function isTaken(text: string): boolean {
  try {
    for (const _step of new JsonScan().read(Buffer.from(text))) void _step;
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError);
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Pieces of JSON in any order: nearly JSON much more often than characters. */
const pieces = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"a"',
  '"\\u00e9\\n"',
  '"\\x"',
  "0",
  "-",
  "1",
  ".",
  "e",
  "+",
  "true",
  "nul",
];
const jumbled = fc.array(fc.constantFrom(...pieces, "null", "false", " ", "\n", '"', "\\", "\u0001", "é"), {
  maxLength: 8,
});

test("a scan takes what JSON.parse takes, and refuses what JSON.parse refuses", () => {
  fc.assert(
    fc.property(jumbled, (parts) => {
      const text = parts.join("");
      expect([text, isTaken(text)]).toEqual([text, isJson(text)]);
    }),
    { numRuns: 20_000 },
  );
  fc.assert(fc.property(fc.json(), (text) => isTaken(text) && isTaken(` ${text}\n`) && !isTaken(`${text}]`)));
  for (const text of [
    "-",
    "01",
    "1.",
    "1e",
    "1e+",
    "-0.5E-7",
    "[1,]",
    '{"a":1,}',
    '{"a"}',
    "{1:2}",
    "",
    " ",
    "tru",
    "truee",
  ])
    expect([text, isTaken(text)]).toEqual([text, isJson(text)]);
});

test("a changed byte of a JSON text is judged as JSON.parse does", () => {
  const given = fc.tuple(fc.json(), fc.nat(), fc.integer({ min: 0x20, max: 0x7e }));
  fc.assert(
    fc.property(given, ([json, at, code]) => {
      const place = at % json.length;
      const text = json.slice(0, place) + String.fromCharCode(code) + json.slice(place + 1);
      expect([text, isTaken(text)]).toEqual([text, isJson(text)]);
    }),
    { numRuns: 5_000 },
  );
});
