// The caller process: `caller ADDRESS`. It makes the stored agents, then calls as the benchmark commands.
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { runCallRound } from "../../support/call-rounds.ts";
import { commands, tell } from "../../support/peer-commands.ts";
import { type Recipients, type StateLoad, someAgents, storedAgents } from "./loads.ts";
import { Add, Look, Total } from "./messages.ts";

const [address = ""] = process.argv.slice(2);
const sender = new AgentId("caller", "1");
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
runtime.addMessageSerializer([Add, Look, Total]);
tell("ready");
let calls = 0;
let isFilled = false;
for await (const { seconds, inFlight, recipients, writes } of commands<StateLoad & { readonly seconds: number }>()) {
  if (recipients === "stored" && !isFilled) await fill();
  const call = () => {
    const id = recipientOf(recipients);
    return runtime.sendMessage(writes ? Add({ value: 1 }) : Look({}), id, { sender });
  };
  tell("round", await runCallRound({ seconds, inFlight }, call));
}
process.exit(0);

function recipientOf(recipients: Recipients): AgentId {
  calls += 1;
  switch (recipients) {
    case "some":
      return new AgentId("counter", String(calls % someAgents));
    case "new":
      return new AgentId("capped", `new-${calls}`);
    case "one":
      return new AgentId("counter", "one");
    case "stored":
      return new AgentId("capped", String(calls % storedAgents));
  }
}

async function fill(): Promise<void> {
  let next = 0;
  const fillSome = async () => {
    for (; next < storedAgents; ) {
      next += 1;
      await runtime.sendMessage(Add({ value: 1 }), new AgentId("capped", String(next - 1)), { sender });
    }
  };
  await Promise.all(Array.from({ length: 64 }, fillSome));
  isFilled = true;
}
