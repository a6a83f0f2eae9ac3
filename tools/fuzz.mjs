// `npm run fuzz -- [--seconds N] [--seed S]`: runs tests/fuzz/main.ts, 60 seconds unless told otherwise.
import { runNode } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const { code } = await runNode("tests/fuzz/main.ts", process.argv.slice(2), {
  nodeArgs: ["--import", "./tools/typescript.mjs", "-C", "troupe-source"],
});
process.exitCode = code;
