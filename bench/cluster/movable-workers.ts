// Workers that go on at another host: `movable-workers ADDRESSES COUNT`. Each serves a type of its own, `own-0` and so on.
import { handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { endWithBenchmark } from "../support/call-rounds.ts";
import { tell } from "../support/peer-commands.ts";
import { Look, Seen } from "./messages.ts";

class Own extends RoutedAgent {
  static override readonly handlers = handlerTable<Own>().rpc(Look, () => Seen({}));
}

const [addresses = "", count = ""] = process.argv.slice(2);
for (let at = 0; at < Number(count); at += 1) {
  const runtime = new GrpcWorkerAgentRuntime(addresses.split(","));
  await runtime.start();
  await Own.register(runtime, `own-${at}`, () => new Own("answers"));
}
endWithBenchmark();
tell("ready");
