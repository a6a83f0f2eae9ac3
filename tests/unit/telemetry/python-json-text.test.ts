import { expect, test } from "vitest";
import { pythonJsonText } from "../../../src/telemetry/json-message-log.ts";

test("JSON is written as json.dumps writes it", () => {
  const value = { "a é": [1, 2.5, '\u007f \ud83d\ude00 \n " \\ /', null, true, {}, []], skipped: undefined };
  expect(pythonJsonText(value)).toBe(
    '{"a \\u00e9": [1, 2.5, "\\u007f \\ud83d\\ude00 \\n \\" \\\\ /", null, true, {}, []]}',
  );
});

test("a value without a JSON form is null", () => {
  expect(pythonJsonText(undefined)).toBe("null");
});
