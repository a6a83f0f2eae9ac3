// `npm run bench -- <name> [arguments]`: compiles and runs bench/<name>/main.ts.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, runNode } from "./run.mjs";
import { ensurePrograms } from "./setup.mjs";

const [name, ...args] = process.argv.slice(2);
if (name === undefined || !benchmarks().includes(name)) {
  console.error(`usage: npm run bench -- <name>, where <name> is one of: ${benchmarks().join(", ")}`);
  process.exitCode = 64;
} else {
  await ensurePrograms();
  const { code } = await runNode(`build/bench/${name}/main.js`, args);
  process.exitCode = code;
}

function benchmarks() {
  const folder = join(root, "bench");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((entry) => existsSync(join(folder, entry, "main.ts")));
}
