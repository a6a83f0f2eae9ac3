// Durable orders: an event is kept for an agent whose worker is away, and tried again when its handler fails. Shows `delivery: "durable"` and
// durable subscriptions. The host keeps the subscription, too: the worker that comes back says nothing of it.
import assert from "node:assert/strict";
import { AgentId, defineMessage, event, type MessageOf, RoutedAgent, rpc, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { z } from "zod";

const Ordered = defineMessage("Ordered", z.object({ item: z.string() }));
const Packed = defineMessage("Packed", z.object({ items: z.array(z.string()) }));
const AskPacked = defineMessage("AskPacked", z.object({}), { answer: Packed });

class Packer extends RoutedAgent {
  readonly #items: string[] = [];
  readonly #onPacked: () => void;
  #tries = 0;

  constructor(onPacked: () => void) {
    super("packs orders");
    this.#onPacked = onPacked;
  }

  @event(Ordered)
  pack({ item }: MessageOf<typeof Ordered>) {
    this.#tries += 1;
    if (this.#tries === 1) throw new Error("the box is torn"); // it comes again, before those behind it
    this.#items.push(item);
    if (this.#items.length === 3) this.#onPacked();
  }

  @rpc(AskPacked)
  packed() {
    return Packed({ items: this.#items });
  }
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { retry: { initialDelayMs: 100 } });
await host.start();

const first = new GrpcWorkerAgentRuntime(host.address);
await first.start();
await Packer.register(first, "packer", () => new Packer(() => undefined));
await first.addSubscription(new TypeSubscription("orders", "packer", { durable: true }));
await first.stop();
console.log("the packer's worker is gone");

await using shop = new GrpcWorkerAgentRuntime(host.address);
await shop.start();
shop.addMessageSerializer([Ordered, AskPacked, Packed]);
const orders = new TopicId("orders", "lisbon");
for (const item of ["violin", "cello", "harp"]) {
  await shop.publishMessage(Ordered({ item }), orders, { delivery: "durable", idempotencyKey: `order of a ${item}` });
}
// Not sure whether it was kept? Publish it again.
await shop.publishMessage(Ordered({ item: "harp" }), orders, {
  delivery: "durable",
  idempotencyKey: "order of a harp",
});
console.log("three orders are kept");

await using second = new GrpcWorkerAgentRuntime(host.address);
await second.start();
await new Promise<void>((resolve) => {
  void Packer.register(second, "packer", () => new Packer(resolve));
});
const { items } = await shop.sendMessage(AskPacked({}), new AgentId("packer", "lisbon"));
console.log(`packed, in order and once each: ${items.join(", ")}`);
assert.deepEqual(items, ["violin", "cello", "harp"]);
