import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { generations } from "./support/generations.ts";
import type { RecordedEntry } from "./support/recorded-host.ts";

const recorder = fileURLToPath(new URL("./python/record_host.py", import.meta.url));
const kept = new URL("./python/recorded-python-host.json", import.meta.url);

/** Where no outcome is "nothing happened for a while", and none depends on which of two peers is quicker. */
const unambiguous = [
  "missing-client-id",
  "every-method-with-client-id",
  "client-id-twice-in-one-call",
  "half-close",
  "cancelled-channel",
  "type-registered-twice",
  "invalid-subscription",
  "compressed-messages",
  "handler-raises-with-text",
  "handler-raises-without-text",
  "message-without-arm",
  "invalid-topic",
  "protobuf-event-names",
];

const skipReason = generations.find((generation) => generation.skipReason !== undefined)?.skipReason;

/** Without this, what our tests say of AutoGen's host would be compared with nothing but itself. */
test.skipIf(skipReason)(
  `AutoGen's own hosts still do what was recorded of them${skipReason === undefined ? "" : ` [skipped: ${skipReason}]`}`,
  async () => {
    const { python = "" } = generations[0] ?? {};
    const args = [recorder, "--print", "--scenario", ...unambiguous];
    const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 16 * 1024 * 1024 });
    const seen = entriesIn(stdout);
    expect(seen).toHaveLength(generations.length * unambiguous.length);
    expect(seen).toEqual(
      entriesIn(readFileSync(kept, "utf8")).filter(({ scenario }) => unambiguous.includes(scenario)),
    );
  },
  300_000,
);

function entriesIn(text: string): readonly RecordedEntry[] {
  return (JSON.parse(text) as { readonly entries: readonly RecordedEntry[] }).entries;
}
