// `npm test [-- vitest arguments]`: installs what is missing, runs the tests, and says what it left out. With the name of a
// file or folder it runs that, long or not. `npm run test:long [-- vitest arguments]` runs the long ones (`--long`), and
// `npm run test:hostile [-- vitest arguments]` the attacks on a host (`--hostile`).
import { bins, runNode } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

const [, named] = /^--(long|hostile)$/.exec(process.argv[2] ?? "") ?? [];
const args = process.argv.slice(named === undefined ? 2 : 3);
const project = named !== undefined || args.length === 0 ? ["--project", named ?? "quick"] : [];
await ensureInstalled();
if (named === undefined && args.length === 0) {
  console.log(
    "Left out here: long tests (npm run test:long; those of the page for operators need Chromium), attacks on a host (npm run test:hostile), and those against real Python workers and hosts",
  );
  console.log("(npm run test:interop; it needs Python 3.10 to 3.12 with venv and pip, and makes .venvs/ by itself).");
}
const { code } = await runNode(bins.vitest, ["run", ...project, ...args]);
process.exitCode = code;
