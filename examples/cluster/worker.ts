// A worker of the cluster: `worker NAME ADDRESS,ADDRESS…`. It dials the first address; the others are for the time when that host is gone.
// All workers share the persistent agent types `counter` and `store`; each has an agent type of its own name, which greets.
import { AgentId, defineState, HandlerError, type MessageOf, persistentAgent, RoutedAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { Add, Arrived, AskToGreet, Greeting, Parcel, SetOpen, StoreIs, Total } from "./messages.ts";

const [name = "worker1", addresses = "127.0.0.1:50051"] = process.argv.slice(2);

class Greeter extends RoutedAgent {
  @rpc(AskToGreet)
  greet(ask: MessageOf<typeof AskToGreet>) {
    return Greeting({ content: `Hello, ${ask.name}! (${name})` });
  }
}

const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

class Counter extends persistentAgent(Count) {
  static override readonly shared = true;

  @rpc(Add)
  add({ value }: MessageOf<typeof Add>) {
    this.state.total += value;
    return Total({ value: this.state.total }); // leaves when the state is written
  }
}

const Shelves = defineState(z.object({ isOpen: z.boolean(), parcels: z.array(z.string()) }), {
  initial: { isOpen: true, parcels: [] },
});

class Store extends persistentAgent(Shelves) {
  static override readonly shared = true;

  @rpc(Parcel)
  async take({ id }: MessageOf<typeof Parcel>) {
    if (!this.state.isOpen) throw new HandlerError("The store is closed.", { isFinal: true }); // a dead letter
    this.state.parcels.push(id);
    await this.tell(Arrived({ id, store: this.id.key }), new AgentId("desk", "main")); // kept together with the state
  }

  @rpc(SetOpen)
  setOpen({ isOpen }: MessageOf<typeof SetOpen>) {
    this.state.isOpen = isOpen;
    return StoreIs({ isOpen });
  }
}

const worker = new GrpcWorkerAgentRuntime(addresses.split(","), {
  name,
  reconnect: { initialDelayMs: 20, maxDelayMs: 500 },
});
await worker.start();
await Greeter.register(worker, name, () => new Greeter("greets"));
await Counter.register(worker, "counter", () => new Counter("counts"));
await Store.register(worker, "store", () => new Store("keeps parcels"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
