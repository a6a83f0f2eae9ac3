import { AgentId, defineMessage, defineState, handlerTable, persistentAgent, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";

/** A worker with agents that publish what they are given, and two ledgers that subscribe to it durably. All is kept at its host. */
const Given = defineMessage("Given", z.object({ value: z.string() }));
const Happened = defineMessage("Happened", z.object({ value: z.string() }));
const Entries = defineMessage("Entries", z.object({ values: z.array(z.string()) }));
const Read = defineMessage("Read", z.object({}), { answer: Entries });
const Count = defineState(z.object({ given: z.number() }), { initial: { given: 0 } });
const Ledger = defineState(z.object({ values: z.array(z.string()) }), { initial: { values: [] } });

class Giver extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Giver>().rpc(Given, async function ({ value }) {
    this.state.given += 1;
    await this.publishMessage(Happened({ value }), new TopicId("happened", "main"), { delivery: "durable" });
  });
}

class LedgerAgent extends persistentAgent(Ledger) {
  static override readonly handlers = handlerTable<LedgerAgent>()
    .event(Happened, function ({ value }) {
      this.state.values.push(value);
    })
    .rpc(Read, function () {
      return Entries({ values: [...this.state.values] });
    });
}

const [address = ""] = process.argv.slice(2);
const worker = new GrpcWorkerAgentRuntime(address, { reconnect: { initialDelayMs: 20, maxDelayMs: 100 } });
await worker.start();
await Giver.register(worker, "giver", () => new Giver("gives"));
for (const type of ["ledger", "auditor"]) {
  await LedgerAgent.register(worker, type, () => new LedgerAgent("a ledger"));
  await worker.addSubscription(new TypeSubscription("happened", type, { durable: true }));
}
const stopped = worker.stopWhenSignal();
console.log(`ready for ${new AgentId("giver", "a")}`);
await stopped;
