import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { z } from "zod";

/** A worker with agents that tell one ledger what they were given, and remind themselves to do so again. All is kept at its host. */
const Given = defineMessage("Given", z.object({ value: z.string() }));
const Noted = defineMessage("Noted", z.object({ value: z.string() }));
const Later = defineMessage("Later", z.object({ value: z.string() }));
const Entries = defineMessage("Entries", z.object({ values: z.array(z.string()) }));
const Read = defineMessage("Read", z.object({}), { answer: Entries });
const Count = defineState(z.object({ given: z.number() }), { initial: { given: 0 } });
const Ledger = defineState(z.object({ values: z.array(z.string()) }), { initial: { values: [] } });

const ledger = new AgentId("ledger", "main");

class Giver extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Giver>()
    .rpc(Given, async function ({ value }) {
      this.state.given += 1;
      await this.tell(Noted({ value }), ledger);
      await this.remindMe(value, { after: 50 }, Later({ value }));
    })
    .rpc(Later, async function ({ value }) {
      this.state.given += 1;
      await this.tell(Noted({ value: `later ${value}` }), ledger);
    });
}

class LedgerAgent extends persistentAgent(Ledger) {
  static override readonly handlers = handlerTable<LedgerAgent>()
    .rpc(Noted, function ({ value }) {
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
await LedgerAgent.register(worker, "ledger", () => new LedgerAgent("a ledger"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
