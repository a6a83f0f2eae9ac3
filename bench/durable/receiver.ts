// The receiver's process: `receiver ADDRESS plain|stored`. Its agents count what they are told, in their states if they are stored.
import { defineState, handlerTable, persistentAgent, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { Handling } from "./handling.ts";
import { Told } from "./messages.ts";

const [address = "", kind = ""] = process.argv.slice(2);
const handling = new Handling();
const Count = defineState(z.object({ count: z.number() }), { initial: { count: 0 } });

class Plain extends RoutedAgent {
  static override readonly handlers = handlerTable<Plain>().rpc(Told, ({ sentMs }) => handling.add(sentMs));
}

class Stored extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Stored>().rpc(Told, function ({ sentMs }) {
    this.state.count += 1;
    handling.add(sentMs);
  });
}

const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
if (kind === "stored") await Stored.register(runtime, "receiver", () => new Stored("counts"));
else await Plain.register(runtime, "receiver", () => new Plain("counts"));
await handling.serve();
