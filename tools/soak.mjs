// `npm run soak [-- --seconds 600 --seed 1]`: runs tests/soak, 10 minutes unless told otherwise.
// `npm run soak -- --cluster [--seconds 3600 --seed 1]`: runs tests/soak/cluster, an hour unless told otherwise.
import { ensureNewerNats } from "./newer-nats.mjs";
import { runTypeScript } from "./run.mjs";
import { ensureInstalled } from "./setup.mjs";

await ensureInstalled();
const args = process.argv.slice(2);
const isOfCluster = args.includes("--cluster");
// A cluster of NATS servers needs a newer one than Debian's.
const server = isOfCluster ? (process.env.TROUPE_NATS_SERVER ?? (await ensureNewerNats())) : undefined;
const { code } = await runTypeScript(isOfCluster ? "tests/soak/cluster/main.ts" : "tests/soak/main.ts", args, {
  nodeArgs: ["--expose-gc"],
  env: { ...process.env, ...(server !== undefined && { TROUPE_NATS_SERVER: server }) },
});
process.exitCode = code;
