// `npm run soak [-- --seconds 600 --seed 1]`: runs tests/soak, 10 minutes unless told otherwise.
import { join } from "node:path";
import process from "node:process";
import { root, run } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const flags = ["--expose-gc", "--import", join(root, "tools/typescript.mjs"), "-C", "troupe-source"];
const { code } = await run(process.execPath, [...flags, "tests/soak/main.ts", ...process.argv.slice(2)]);
process.exitCode = code;
