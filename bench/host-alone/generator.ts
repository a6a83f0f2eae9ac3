// Both ends in one process that does next to no work of its own: `generator http2|tls|tcp ADDRESS [SUFFIX]`. Several at
// hosts of one cluster have agent types of their own, which end with their suffixes.
import { commands, tell } from "../support/peer-commands.ts";
import { CallLoad } from "./call-load.ts";
import { Connection, type Wire } from "./connect.ts";
import { EventLoad } from "./event-load.ts";
import type { HostLoad } from "./loads.ts";

interface Round {
  readonly load: HostLoad;
  readonly seconds: number;
}

const [wireText = "", address = "", suffix = ""] = process.argv.slice(2);
const wire: Wire = wireText === "tcp" || wireText === "tls" ? wireText : "http2";
const open = () => Connection.open(wire, address);

const callLoad = await openCalls();
const eventLoads = new Map<number, EventLoad>();
tell("ready");
for await (const { load, seconds } of commands<Round>()) {
  const events = load.kind === "events" ? await openEvents(load.workers) : undefined;
  const startedMs = performance.now();
  const count = load.kind === "calls" ? await callLoad.run(load.inFlight, seconds) : await events?.run(seconds);
  tell("round", { count, perSecond: ((count ?? 0) * 1000) / (performance.now() - startedMs) });
}
process.exit(0);

async function openCalls(): Promise<CallLoad> {
  const target = await open();
  await target.register({ kind: "register-type", requestId: "1", agentType: `target${suffix}` });
  const caller = await open();
  // A host that knows its callers holds them to the agents that they serve.
  await caller.register({ kind: "register-type", requestId: "1", agentType: `caller${suffix}` });
  return new CallLoad(caller, target, suffix);
}

/** A publisher and so many workers with a connection and an agent type each, all subscribed to one topic type. */
async function openEvents(count: number): Promise<EventLoad> {
  const present = eventLoads.get(count);
  if (present !== undefined) return present;
  const topicType = `news.to.${count}`;
  const workers = await Promise.all(Array.from({ length: count }, open));
  for (const [at, worker] of workers.entries()) {
    const agentType = `reader-${count}-${at}`;
    await worker.register({ kind: "register-type", requestId: "1", agentType });
    await worker.register({ kind: "subscribe", requestId: "2", pattern: { kind: "type", topicType, agentType } });
  }
  const publisher = await open();
  await publisher.register({ kind: "register-type", requestId: "1", agentType: `publisher-${count}` });
  const load = new EventLoad(publisher, workers, topicType, `publisher-${count}`);
  eventLoads.set(count, load);
  return load;
}
