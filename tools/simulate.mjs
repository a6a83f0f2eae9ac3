// `npm run simulate [-- --seeds COUNT | --seed SEED]`: plays worlds that break in all ways; see tests/simulation/main.ts.
import { runTypeScript } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const { code } = await runTypeScript("tests/simulation/main.ts", process.argv.slice(2));
process.exitCode = code;
