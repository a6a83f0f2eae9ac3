// `npm test [-- vitest arguments]`: installs what is missing, runs the tests, and says what it left out.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { bins, root, runNode } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

const args = process.argv.slice(2);
await ensureInstalled();
if (args.length === 0) {
  const made = existsSync(join(root, ".venvs"));
  console.log(
    `Left out here: the tests against real Python workers and hosts. Run them with \`npm run test:interop\`${
      made ? "." : " (needs Python 3.10 to 3.12 or 3.13; it makes its own virtual environments)."
    }`,
  );
}
const { code } = await runNode(bins.vitest, ["run", ...args]);
process.exitCode = code;
