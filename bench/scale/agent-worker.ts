// A worker full of agents: `agent-worker ADDRESS TYPE COUNT`. Makes so many alive, then serves them; on each command it tells its memory.
import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { Ping } from "../rpc/messages.ts";
import { commands, tell } from "../support/peer-commands.ts";

class Idle extends RoutedAgent {
  static override readonly handlers = handlerTable<Idle>().rpc(Ping, (ping) => ping);
}

const [address = "", type = "", count = ""] = process.argv.slice(2);
const agents = Number(count);
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
await Idle.register(runtime, type, () => new Idle("is there"));
const heapBefore = memory().heapUsed;
for (let key = 0; key < agents; key += 1) await runtime.tryGetUnderlyingAgentInstance(new AgentId(type, `${key}`));
const agentBytes = (memory().heapUsed - heapBefore) / agents;
tell("ready");
for await (const _ of commands()) tell("measured", { ...memory(), agentBytes });
process.exit(0);

function memory() {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heapUsed };
}
