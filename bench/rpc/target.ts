// The target process: `target ADDRESS`. Serves the agent type `target`, which answers a Ping with the same. The benchmark of the start
// measures it, too: it is as small as a worker can be.
import { handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { Ping } from "./messages.ts";

class Target extends RoutedAgent {
  static override readonly handlers = handlerTable<Target>().rpc(Ping, (ping) => ping);
}

const [address = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Target.register(runtime, "target", () => new Target("answers"));
endWithBenchmark();
tell("ready");
