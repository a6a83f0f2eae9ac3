import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const sources = readdirSync(`${root}src`, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => `${entry.parentPath.replaceAll("\\", "/")}/${entry.name}`)
  .map((path) => ({ path: path.slice(root.length), code: codeIn(readFileSync(path, "utf8")) }));

/** Source without its comments. */
function codeIn(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/g, "");
}

function filesWith(text: string, without?: string): readonly string[] {
  const found = sources.filter(({ code }) => code.includes(text) && (without === undefined || !code.includes(without)));
  return found.map(({ path }) => path).sort();
}

test("no signal that may live long is a source of AbortSignal.any: joinSignals lets go of it", () => {
  expect(filesWith("AbortSignal.any(")).toEqual([
    // A signal of its own, which ends with the one that is made of it.
    "src/core/follow-abort.ts",
  ]);
});

test("what listens for the abort of a signal stops listening, or the signal ends with its request", () => {
  expect(filesWith('addEventListener("abort"', 'removeEventListener("abort"')).toEqual([
    // A signal of a request that the reader's connection ends.
    "src/admin/feed/live-feed.ts",
    // A signal of one model call of a test.
    "src/ai/testing/scripted-model.ts",
    // The signal of the command, once.
    "src/cli/commands/host.ts",
    // A signal of a call of a test.
    "src/testing/contracts/link/test-service.ts",
    // A signal of one stream, which aborts when it ends.
    "src/web/routes/topic-routes.ts",
  ]);
});
