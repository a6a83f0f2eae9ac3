// `npm run soak [-- --seconds 600 --seed 1]`: runs tests/soak, 10 minutes unless told otherwise.
import { runTypeScript } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const { code } = await runTypeScript("tests/soak/main.ts", process.argv.slice(2), { nodeArgs: ["--expose-gc"] });
process.exitCode = code;
