// `npm test [-- vitest arguments]`: installs what is missing, runs the tests, and says what it left out.
import { bins, runNode } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

const args = process.argv.slice(2);
await ensureInstalled();
if (args.length === 0) {
  console.log(
    "Left out here: the tests against real Python workers and hosts. `npm run test:interop` runs them; it needs",
  );
  console.log("Python 3.10 to 3.12 with venv and pip, and makes its own environments under .venvs/.");
}
const { code } = await runNode(bins.vitest, ["run", ...args]);
process.exitCode = code;
