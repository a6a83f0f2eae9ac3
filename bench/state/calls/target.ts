// The target process: `target ADDRESS plain|stored|ahead`. Serves `counter`; and `capped`, of which few agents are live at a time.
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../../support/call-rounds.ts";
import { tell } from "../../support/peer-commands.ts";
import { PlainCounter, StoredCounter } from "./agents.ts";
import { cap } from "./loads.ts";

const [address = "", kind = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
const turns = kind === "ahead" ? { runAhead: 64 } : {};
if (kind === "plain") {
  await PlainCounter.register(runtime, "counter", () => new PlainCounter("counts"));
  await PlainCounter.register(runtime, "capped", () => new PlainCounter("counts"), { maxLive: cap });
} else {
  await StoredCounter.register(runtime, "counter", () => new StoredCounter("counts"), turns);
  await StoredCounter.register(runtime, "capped", () => new StoredCounter("counts"), { maxLive: cap });
}
endWithBenchmark();
tell("ready");
