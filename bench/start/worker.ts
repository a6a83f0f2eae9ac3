// A worker as small as they come: `worker ADDRESS`. Tells when its one agent type is registered.
import { handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { Ping } from "../rpc/messages.ts";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";

class Target extends RoutedAgent {
  static override readonly handlers = handlerTable<Target>().rpc(Ping, (ping) => ping);
}

const [address = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Target.register(runtime, "target", () => new Target("answers"));
endWithBenchmark();
tell("ready");
