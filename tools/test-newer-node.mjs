// `npm run test:newer-node [-- vitest arguments]`: the tests once more on Node 24, the long ones too, and the attacks. It leaves out what uses no
// sockets, processes or stores of Node: simulations, properties, a million agents, the checks of texts and of the guide. It also leaves out minutes
// of load with lost workers and broken lines, and the turns under attack. What operators and persistent agents ask of a cluster, and the page in a
// browser, are not tried again. The other long tests kill workers and hosts on Node 24, with each store.
import { ensureNewerNode, newerNodeRelease } from "./newer-node.mjs";
import { bins, run } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const leftOut = [
  "tests/{simulation,property}/**",
  "tests/architecture/**",
  "tests/e2e/faults/{shared-states,kept-states,broken-network,stalled-reader,two-hosts}.long.test.ts",
  "tests/e2e/faults/{rolling-upgrade,rolling-restart,restart-of-everything}.long.test.ts",
  "tests/hostile/fair-turns.test.ts",
  "tests/e2e/cluster/{histories,commands,kept-states}.long.test.ts",
  "tests/e2e/page/**",
  "tests/unit/core/in-process/a-million-agents.long.test.ts",
];
const node = await ensureNewerNode();
if (node === undefined) {
  const advice = `install Node ${newerNodeRelease} and run \`npm test\` and \`npm run test:long\` with it`;
  console.log(`Only Linux on x64 has a Node in an npm package; ${advice}.`);
} else {
  const args = process.argv.slice(2);
  const chosen = args.length > 0 ? args : leftOut.flatMap((pattern) => ["--exclude", pattern]);
  const { code } = await run(node, [bins.vitest, "run", ...chosen]);
  process.exitCode = code;
}
