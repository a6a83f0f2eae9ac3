import { expect, test } from "vitest";
import { pythonJson } from "../../../src/telemetry/python-json.ts";

test("JSON is written as json.dumps writes it", () => {
  const value = { "a é": [1, 2.5, '\u007f \ud83d\ude00 \n " \\ /', null, true, {}, []], skipped: undefined };
  expect(pythonJson(value)).toBe(
    '{"a \\u00e9": [1, 2.5, "\\u007f \\ud83d\\ude00 \\n \\" \\\\ /", null, true, {}, []]}',
  );
});

test("what JSON can not say is null", () => {
  expect(pythonJson(undefined)).toBe("null");
});
