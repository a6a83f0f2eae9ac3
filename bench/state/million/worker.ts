// The worker: `worker ADDRESS CAP`, with --expose-gc. Of its persistent agents CAP are live at a time. Tells its heap.
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { usedBytes } from "../../memory/used-bytes.ts";
import { commands, tell } from "../../support/peer-commands.ts";
import { StoredCounter } from "../calls/agents.ts";

const [address = "", cap = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await StoredCounter.register(runtime, "counter", () => new StoredCounter("counts"), { maxLive: Number(cap) });
tell("ready");
for await (const _ of commands<object>()) tell("heap", { bytes: await usedBytes() });
process.exit(0);
