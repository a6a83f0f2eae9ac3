// `npm run examples [-- name ...]`: runs every examples/<name>/main.ts, and each of examples/patterns twice: in one process, and with
// `--workers` in three. An example checks itself: it ends with 0 when all is
// well, with 77 when the machine lacks something it needs (its last line says what), with anything else when it failed.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, runNode } from "./run.mjs";
import { ensurePrograms } from "./setup.mjs";
import { Tally } from "./tally.mjs";

const skippedCode = 77;
/** Beyond the longest limit that an example sets itself: one that ends itself leaves no process behind. */
const timeoutMs = 240_000;
/** Has a command of its own, and takes longer. */
const notHere = ["demo"];

await ensurePrograms();
const only = process.argv.slice(2);
/** Whoever asks for one wants to read its story; of all of them only the outcome. */
const quiet = only.length === 0;
const patterns = "patterns";
const stories = namesIn("").filter((name) => (only.length > 0 ? only.includes(name) : !notHere.includes(name)));
const played = namesIn(patterns).filter(
  (name) => only.length === 0 || only.includes(patterns) || only.includes(`${patterns}/${name}`),
);
const runs = [
  ...stories.map((name) => ({ name, args: [] })),
  ...played.flatMap((name) => [[], ["--workers"]].map((args) => ({ name: `${patterns}/${name}`, args }))),
];
const tally = new Tally();
for (const { name, args } of runs) {
  const startedMs = Date.now();
  const { code, output } = await runNode(`build/examples/${name}/main.js`, args, { quiet, timeoutMs });
  const label = `example ${[name, ...args].join(" ")} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`;
  if (code === 0) tally.passed(label);
  else if (code === skippedCode) tally.skipped(label, output.trim().split("\n").at(-1));
  else tally.failed(label, `ended with ${code}\n${output}`);
}
if (runs.length === 0) tally.failed("examples", "none found");
process.exitCode = tally.close();

function namesIn(folder) {
  const path = join(root, "examples", folder);
  return readdirSync(path).filter((name) => existsSync(join(path, name, "main.ts")));
}
