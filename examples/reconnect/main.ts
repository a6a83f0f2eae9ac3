// Reconnect: a host stops and starts again, and its worker reconnects. Shows the status of the worker, and an event
// that arrives after the reconnect. A call meanwhile fails with an error that says whether it was sent.
import assert from "node:assert/strict";
import { AgentId, defineMessage, event, type MessageOf, RoutedAgent, rpc, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { z } from "zod";

const Count = defineMessage("Count", z.object({ count: z.number() }));
const HowMany = defineMessage("HowMany", z.object({}), { answer: Count });
const Visitor = defineMessage("Visitor", z.object({ name: z.string() }));

class Porter extends RoutedAgent {
  #visitors = 0;

  @event(Visitor)
  welcome({ name }: MessageOf<typeof Visitor>) {
    this.#visitors += 1;
    console.log(`the porter welcomes ${name}`);
  }

  @rpc(HowMany)
  count() {
    return Count({ count: this.#visitors });
  }
}

let host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
const { address } = host;

await using worker = new GrpcWorkerAgentRuntime(address, {
  reconnect: { initialDelayMs: 20, maxDelayMs: 200 },
  whileDisconnected: { callWaitMs: 50 },
});
const seen: string[] = [];
const told = (async () => {
  for await (const status of worker.status()) {
    seen.push(status.at);
    console.log("worker:", status);
  }
})();
await worker.start();
await Porter.register(worker, "porter", () => new Porter("counts visitors"));
await worker.addSubscription(new TypeSubscription("visits", "porter"));
const porter = new AgentId("porter", "front");
const visits = new TopicId("visits", "front");

await worker.publishMessage(Visitor({ name: "Ada" }), visits);
assert.equal((await worker.sendMessage(HowMany({}), porter)).count, 1);
await host.stop();
console.log("the host is gone");

await worker.publishMessage(Visitor({ name: "Grace" }), visits);
console.log(`${worker.queuedCount} event waits for a host`);
await assert.rejects(worker.sendMessage(HowMany({}), porter), (error: Error) => {
  console.log(`a call does not wait for long: ${error.message}`);
  return "code" in error && error.code === "disconnected";
});

host = new GrpcWorkerAgentRuntimeHost(address);
await host.start();
for await (const status of worker.status()) if (status.at === "connected") break;

const { count } = await worker.sendMessage(HowMany({}), porter);
console.log(`visitors: ${count}`);
assert.equal(count, 2); // agents live on while their worker looks for a host
await worker.stop();
await host.stop();
await told;
assert.deepEqual([seen[0], seen.at(-1)], ["idle", "closed"]);
assert(seen.includes("waiting"));
assert.equal(worker.counters().lostEvents, 0);
