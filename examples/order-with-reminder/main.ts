// Order with reminder: an order that is not paid in time cancels itself. Shows `remindMe`, `cancelReminder` and `tell`. The program that took
// the orders ends before the time is up. The next one, on the same SQLite file, cancels the order that was not paid.
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  AgentId,
  ClosureAgent,
  defineMessage,
  defineState,
  type MessageOf,
  persistentAgent,
  rpc,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
} from "troupe";
import type { StateStore } from "troupe/storage";
import { openSqliteStore } from "troupe/storage/sqlite";
import { z } from "zod";
import { temporaryFolder } from "../support/temporary-folder.ts";

const Status = defineMessage("Status", z.object({ status: z.string() }));
const Place = defineMessage("Place", z.object({ items: z.number() }), { answer: Status });
const Pay = defineMessage("Pay", z.object({}), { answer: Status });
const AskStatus = defineMessage("AskStatus", z.object({}), { answer: Status });
const PaymentDue = defineMessage("PaymentDue", z.object({}));

const Reserve = defineMessage("Reserve", z.object({ order: z.string(), items: z.number() }));
const Release = defineMessage("Release", z.object({ order: z.string() }));
const Released = defineMessage("Released", z.object({ order: z.string(), reserved: z.number() }));

const stock = new AgentId("stock", "main");
const OrderState = defineState(z.object({ status: z.enum(["new", "placed", "paid", "cancelled"]) }), {
  initial: { status: "new" },
});
const StockState = defineState(z.object({ reserved: z.record(z.string(), z.number()) }), { initial: { reserved: {} } });

class Order extends persistentAgent(OrderState) {
  @rpc(Place)
  async place({ items }: MessageOf<typeof Place>) {
    this.state.status = "placed";
    await this.tell(Reserve({ order: this.id.key, items }), stock);
    await this.remindMe("payment", { after: "2s" }, PaymentDue({}));
    return this.ask(); // state, told message and reminder are written together, then this leaves
  }

  @rpc(Pay)
  async pay() {
    if (this.state.status === "placed") {
      this.state.status = "paid";
      await this.cancelReminder("payment");
    }
    return this.ask();
  }

  @rpc(PaymentDue)
  async cancel() {
    if (this.state.status !== "placed") return;
    this.state.status = "cancelled";
    await this.tell(Release({ order: this.id.key }), stock);
  }

  @rpc(AskStatus)
  ask() {
    return Status({ status: this.state.status });
  }
}

class Stock extends persistentAgent(StockState) {
  @rpc(Reserve)
  reserve({ order, items }: MessageOf<typeof Reserve>) {
    this.state.reserved[order] = items;
  }

  @rpc(Release)
  async release({ order }: MessageOf<typeof Release>) {
    delete this.state.reserved[order];
    const reserved = Object.values(this.state.reserved).reduce((sum, items) => sum + items, 0);
    await this.publishMessage(Released({ order, reserved }), new TopicId("released", "main"));
  }
}

const ada = new AgentId("order", "ada");
const grace = new AgentId("order", "grace");

/** A runtime on this store. It starts when all is registered, since reminders and told messages may be waiting. */
async function openShop(stateStore: StateStore, onReleased: (released: MessageOf<typeof Released>) => void) {
  const runtime = new SingleThreadedAgentRuntime({ stateStore });
  await Order.register(runtime, "order", () => new Order("an order"));
  await Stock.register(runtime, "stock", () => new Stock("what is on the shelves"));
  await ClosureAgent.registerClosure(runtime, "clerk", (_agent, released) => onReleased(released), {
    types: Released,
    subscriptions: [({ agentType }) => new TypeSubscription("released", agentType)],
  });
  await runtime.start();
  return runtime;
}

await using folder = await temporaryFolder();
{
  await using store = await openSqliteStore(join(folder.path, "orders.db"));
  await using runtime = await openShop(store, () => assert.fail("too early"));
  await runtime.sendMessage(Place({ items: 2 }), ada);
  await runtime.sendMessage(Place({ items: 5 }), grace);
  const { status } = await runtime.sendMessage(Pay({}), ada);
  console.log(`Ada's order is ${status}; reminders: ${(await runtime.agentReminders(ada)).length}`);
  const [reminder] = await runtime.agentReminders(grace);
  console.log("Grace's order waits with its reminder", reminder?.name);
  assert.equal(reminder?.name, "payment");
  assert.deepEqual(await runtime.agentReminders(ada), []);
}
console.log("the program has ended; another one opens its store");

await using store = await openSqliteStore(join(folder.path, "orders.db"));
let note: (released: MessageOf<typeof Released>) => void = () => {};
const released = new Promise<MessageOf<typeof Released>>((resolve) => {
  note = resolve;
});
await using runtime = await openShop(store, note);
const limit = setTimeout(() => assert.fail("the order was not cancelled"), 60_000); // reminders keep no process alive, this does
const { order, reserved } = await released;
clearTimeout(limit);
console.log(`the items of order ${order} are free again; ${reserved} are reserved`);
assert.deepEqual({ order, reserved }, { order: "grace", reserved: 2 });
assert.equal((await runtime.sendMessage(AskStatus({}), grace)).status, "cancelled");
assert.equal((await runtime.sendMessage(Pay({}), grace)).status, "cancelled"); // too late
assert.equal((await runtime.sendMessage(AskStatus({}), ada)).status, "paid");
