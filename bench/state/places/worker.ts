// A worker of shared types: `worker ADDRESS`. Agents of `plain` keep no state, those of `stored` keep one.
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../../support/call-rounds.ts";
import { tell } from "../../support/peer-commands.ts";
import { PlainCounter, StoredCounter } from "../calls/agents.ts";

const [address = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await PlainCounter.register(runtime, "plain", () => new PlainCounter("counts"), { shared: true });
await StoredCounter.register(runtime, "stored", () => new StoredCounter("counts"), { shared: true });
endWithBenchmark();
tell("ready");
