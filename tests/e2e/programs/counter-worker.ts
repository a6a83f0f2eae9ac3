import { defineMessage, defineState, handlerTable, persistentAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";

/** A worker with a counter whose totals are kept at its host. */
const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

class Counter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
    this.state.total += value;
    return Total({ value: this.state.total });
  });
}

const [address = ""] = process.argv.slice(2);
const worker = new GrpcWorkerAgentRuntime(address, { reconnect: { initialDelayMs: 20, maxDelayMs: 100 } });
await worker.start();
await Counter.register(worker, "counter", () => new Counter("counts"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
