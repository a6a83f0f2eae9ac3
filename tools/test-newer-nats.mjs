// `npm run test:newer-nats`: the tests of troupe/nats once more on a current nats-server, and those that need three servers. They need 2.11.
import { ensureNewerNats } from "./newer-nats.mjs";
import { bins, run } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const program = await ensureNewerNats();
if (program === undefined) {
  console.log(
    "Set TROUPE_NATS_SERVER to a nats-server of 2.11 or newer, and run the tests of tests/integration/nats with it.",
  );
  console.log("0 passed, 0 failed, 1 skipped");
} else {
  const env = { ...process.env, TROUPE_NATS_SERVER: program };
  const { code } = await run(process.execPath, [bins.vitest, "run", "tests/integration/nats"], { env });
  process.exitCode = code;
}
