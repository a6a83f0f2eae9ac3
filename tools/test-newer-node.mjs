// `npm run test:newer-node [-- vitest arguments]`: all tests once more on Node 24, the long ones too.
import { ensureNewerNode, newerNodeRelease } from "./newer-node.mjs";
import { bins, run } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const node = await ensureNewerNode();
if (node === undefined) {
  const advice = `install Node ${newerNodeRelease} and run \`npm test\` and \`npm run test:long\` with it`;
  console.log(`Only Linux on x64 has a Node in an npm package; ${advice}.`);
} else {
  const { code } = await run(node, [bins.vitest, "run", ...process.argv.slice(2)]);
  process.exitCode = code;
}
