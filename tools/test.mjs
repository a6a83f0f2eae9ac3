// `npm test [-- vitest arguments]`: installs what is missing, runs the tests, and says what it left out. With the name of a
// file or folder it runs that, long or not. `npm run test:long [-- vitest arguments]` runs the long ones (`--long`).
import { bins, runNode } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

const isLong = process.argv[2] === "--long";
const args = process.argv.slice(isLong ? 3 : 2);
const project = isLong || args.length === 0 ? ["--project", isLong ? "long" : "quick"] : [];
await ensureInstalled();
if (!isLong && args.length === 0) {
  console.log("Left out here: long tests (npm run test:long), and those against real Python workers and hosts");
  console.log("(npm run test:interop; it needs Python 3.10 to 3.12 with venv and pip, and makes .venvs/ by itself).");
}
const { code } = await runNode(bins.vitest, ["run", ...project, ...args]);
process.exitCode = code;
