import { expect, test } from "vitest";
import { formatJson, formatText } from "../../../src/cli/printing.ts";
import { formatTable } from "../../../src/cli/table.ts";

const nasty = "a\u001b[31m\u009b2J\u202e\u2028\r\nb\u{e0001}";

test("JSON for a terminal means the same, and has no control characters", () => {
  const value = { [nasty]: [nasty, { deep: nasty }], plain: "é ✓ 漢" };
  const text = formatJson(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(text).toContain("é ✓ 漢");
  expect(text).not.toMatch(/[^\P{C}\n]|[\u2028\u2029]/u);
});

test("tables and texts have no control characters but line feeds and tabs of a text", () => {
  expect(formatTable(["key"], [[nasty]])).not.toMatch(/[^\P{C}\n]/u);
  expect(formatTable(["key"], [[nasty]]).split("\n")).toHaveLength(2);
  expect(formatText(`{\n\t"a": "${nasty}"}`)).not.toMatch(/[^\P{C}\n\t]/u);
});
