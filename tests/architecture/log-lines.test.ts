import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { type LogLine, linesOf, logLines } from "../support/log-lines.ts";

const root = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/log-lines.md"), "utf8");

/** What passes lines on, and what only tests have. */
const passesOn = /^src\/(?:testing\/|core\/(?:logger|limited-log)\.ts)/;

interface Row {
  readonly line: string;
  readonly fields: string;
}

function rowsOf(lines: readonly LogLine[]): Row[] {
  const rows = new Map<string, Set<string>>();
  for (const { level, text, fields } of lines) {
    const line = `${level} ${text}`;
    const known = rows.get(line) ?? new Set();
    for (const field of fields) known.add(field);
    rows.set(line, known);
  }
  return [...rows].map(([line, fields]) => ({ line, fields: [...fields].sort().join(" ") }));
}

describe("docs/log-lines.md", () => {
  test("has every line that the source logs, with its level and fields, and no other", () => {
    const listed = [...page.matchAll(/^\| (\w+) \| `(.+?)` \| (.*?) \| (.+) \|$/gm)].map(
      ([, level, text, fields = ""]): Row => ({
        line: `${level} ${text}`,
        fields: fields
          .split(", ")
          .filter((field) => field !== "")
          .map((field) => field.replaceAll("`", ""))
          .sort()
          .join(" "),
      }),
    );
    const logged = rowsOf(logLines(root, "src").filter(({ file }) => !passesOn.test(file)));
    expect(logged.length).toBeGreaterThan(150);
    const order = (one: Row, other: Row) => (one.line < other.line ? -1 : 1);
    expect(listed.sort(order)).toEqual(logged.sort(order));
  });

  test("would see a line that is made from constants, choices, parameters or its kind", () => {
    const text = `
      const reason = "the disk is full";
      function say(what: string, fields: LogFields) { this.#parts.logger?.warn(\`it happened: \${what}\`, fields); }
      logger.info(isGood ? "all is well" : "all is not well", { id });
      log.error(\`\${agent}: \${reason}\`, { ...{ error }, ...others });
      function tell(outcome: string) { logger.debug(outcome); }
      tell("a message has come");
      limitedLogOf(logger).warn(error.message, undefined, "A thing has failed");
    `;
    expect(linesOf(new Map([["x.ts", text]])).map(({ level, text: said, fields }) => [level, said, ...fields])).toEqual(
      [
        ["warn", "it happened: …", "…"],
        ["info", "all is well", "id"],
        ["info", "all is not well", "id"],
        ["error", "…: the disk is full", "error", "…"],
        ["debug", "a message has come"],
        ["warn", "A thing has failed"],
      ],
    );
  });
});
