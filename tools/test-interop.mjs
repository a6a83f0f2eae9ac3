// `npm run test:interop [-- vitest arguments]`: makes the Python environments that are missing, then tests against them.
import { ensureVenvs } from "./interop-venvs.mjs";
import { bins, runNode } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const venvs = await ensureVenvs({ log: (line) => console.log(line) });
const missing = venvs.filter((venv) => venv.python === undefined);
if (missing.length > 0) {
  console.error(
    `The interop tests need an AutoGen of each generation; missing: ${missing.map((venv) => venv.generation).join(", ")}`,
  );
  console.error(
    "Install Python 3.10 to 3.12 with venv and pip (Debian: apt-get install python3-venv), then run this again.",
  );
  process.exitCode = 1;
} else {
  const { code } = await runNode(bins.vitest, [
    "run",
    "--config",
    "vitest.interop.config.ts",
    ...process.argv.slice(2),
  ]);
  process.exitCode = code;
}
