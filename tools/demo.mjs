// `npm run demo`: from a fresh clone to a running demo. The demo itself is examples/demo/main.ts.
import { runNode } from "./run.mjs";
import { ensureInstalled, ensurePrograms } from "./setup.mjs";

await ensureInstalled();
console.log("Building ...");
await ensurePrograms();
const { code } = await runNode("build/examples/demo/main.js", process.argv.slice(2));
process.exitCode = code;
