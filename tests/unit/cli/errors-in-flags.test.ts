import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { textWithFlags } from "../../../src/cli/state/errors-in-flags.ts";

/** Names that only the API has. */
const ofApi =
  /\b(?:takesOver|readOnly|writers|checkSqliteStore|backupSqliteStore|max(?:Value|File|Mailbox|Mail|Queued)?Bytes|maxMailboxMessages)\b/;

/** The texts in a source that read like sentences, with `7` for each value in them. */
function sentencesIn(file: string): readonly string[] {
  const code = readFileSync(file, "utf8").replace(/^\s*(?:\/\/|\/\*|\*).*$/gm, "");
  const texts = [...code.matchAll(/"([^"\n]*)"|`([^`\n]*)`/g)].map(([, plain, template]) => plain ?? template ?? "");
  return texts.map((text) => text.replace(/\$\{[^}]*\}/g, "7")).filter((text) => /\w \w/.test(text));
}

/** Texts of the log, and of errors of `defineState`, which no command opens. */
const elsewhere = ["the state store was opened with takesOver", " Keep less in it, or raise maxBytes of defineState."];

test("no error of a store names an option of the API at the command line", () => {
  const files = ["src/storage", "src/core/state"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  );
  const sentences = files.filter((file) => file.endsWith(".ts")).flatMap(sentencesIn);
  const found = sentences.filter((text) => ofApi.test(text) && !elsewhere.some((other) => text.includes(other)));
  expect(found.length).toBeGreaterThan(5);
  expect(found.map(textWithFlags).filter((text) => ofApi.test(text))).toEqual([]);
});

test("the command line says the same of its own flags, and leaves other texts", () => {
  expect(
    textWithFlags("It is damaged. Check it (troupe state check, or checkSqliteStore), and restore a backup."),
  ).toBe("It is damaged. Check it with troupe state check, and restore a backup.");
  expect(textWithFlags("Stop that program, or open the store with takesOver if it is gone.")).toBe(
    "Stop that program.",
  );
  expect(textWithFlags('Name "readOnly" otherwise.')).toBe('Name "readOnly" otherwise.');
});
