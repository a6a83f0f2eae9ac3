// The caller of a cluster: `caller ADDRESSES`. It calls new agents, or each of some agents until it has answered.
import { AgentId, TroupeError } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { runCallRound } from "../support/call-rounds.ts";
import { commands, tell } from "../support/peer-commands.ts";
import { Look, Seen } from "./messages.ts";

type Command =
  | { readonly do: "call new agents"; readonly seconds: number; readonly inFlight: number }
  | { readonly do: "call each"; readonly types: readonly string[] }
  | { readonly do: "call some"; readonly count: number };

const [addresses = ""] = process.argv.slice(2);
const sender = new AgentId("caller", "1");
const runtime = new GrpcWorkerAgentRuntime(addresses.split(","));
await runtime.start();
runtime.addMessageSerializer([Look, Seen]);
tell("ready");
let newAgents = 0;
for await (const command of commands<Command>()) {
  switch (command.do) {
    case "call new agents":
      tell("round", await runCallRound(command, () => call(new AgentId("small", `new-${newAgents++}`))));
      break;
    case "call each":
      await callAll(command.types.map((type) => new AgentId(type, "1")));
      break;
    case "call some":
      await callAll(Array.from({ length: command.count }, (_, at) => new AgentId("small", `some-${at}`)));
      break;
  }
}
process.exit(0);

/** Calls each agent once, 256 at a time. `ms` in the line: until the last has answered. */
async function callAll(ids: readonly AgentId[]): Promise<void> {
  const startMs = performance.now();
  const left = [...ids];
  const callSome = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) await callUntilAnswered(id);
  };
  await Promise.all(Array.from({ length: 256 }, callSome));
  tell("answered", { ms: performance.now() - startMs });
}

/** Calls again while hosts do not know yet that a host or a worker is gone. */
async function callUntilAnswered(id: AgentId): Promise<void> {
  for (;;) {
    try {
      await call(id);
      return;
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function call(id: AgentId): Promise<unknown> {
  return runtime.sendMessage(Look({}), id, { sender });
}
