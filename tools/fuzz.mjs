// `npm run fuzz -- [--seconds N] [--seed S]`: runs tests/fuzz/main.ts, 60 seconds unless told otherwise.
import { runTypeScript } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const { code } = await runTypeScript("tests/fuzz/main.ts", process.argv.slice(2));
process.exitCode = code;
