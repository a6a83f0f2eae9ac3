// The worker process: serves the agent type `counter` until SIGTERM, or until it is killed. The host keeps the counters' states.
import { defineState, type MessageOf, persistentAgent, rpc } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";
import { Add, Total } from "./messages.ts";

const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

class Counter extends persistentAgent(Count) {
  @rpc(Add)
  add({ value }: MessageOf<typeof Add>) {
    this.state.total += value;
    return Total({ value: this.state.total }); // leaves when the state is written
  }
}

const [address = "127.0.0.1:50051"] = process.argv.slice(2);
const worker = new GrpcWorkerAgentRuntime(address, {
  reconnect: { maxDelayMs: 200, startWaits: true }, // the host may start later
});
await worker.start();
await Counter.register(worker, "counter", () => new Counter("counts"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
