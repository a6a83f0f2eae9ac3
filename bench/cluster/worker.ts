// A worker of a shared type: `worker ADDRESSES`. Its agents are small, and answer.
import { handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { Look, Seen } from "./messages.ts";

class Small extends RoutedAgent {
  static override readonly handlers = handlerTable<Small>().rpc(Look, () => Seen({}));
}

const [addresses = ""] = process.argv.slice(2);
const runtime = new GrpcWorkerAgentRuntime(addresses.split(","));
await runtime.start();
await Small.register(runtime, "small", () => new Small("answers"), { shared: true });
endWithBenchmark();
tell("ready");
