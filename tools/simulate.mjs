// `npm run simulate [-- --seeds COUNT | --seed SEED]`: plays worlds that break in all ways; see tests/simulation/main.ts.
import { run } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const play = ["--import", "./tools/typescript.mjs", "-C", "troupe-source", "tests/simulation/main.ts"];
const { code } = await run(process.execPath, [...play, ...process.argv.slice(2)]);
process.exitCode = code;
