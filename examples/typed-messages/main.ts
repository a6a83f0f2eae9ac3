// Typed messages: declare a message type once, with any Standard Schema library (here zod). Values are checked when
// they are created and when they arrive. An invalid value gives an error that names the message, the field and the
// reason. That holds for your own values and for JSON from a Python worker.
import assert from "node:assert/strict";
import {
  AgentId,
  defineMessage,
  type MessageOf,
  RoutedAgent,
  rpc,
  SingleThreadedAgentRuntime,
  TroupeError,
} from "troupe";
import { z } from "zod";

const Receipt = defineMessage("Receipt", z.object({ text: z.string() }));

// In Python: a dataclass or pydantic model Order with item: str, quantity: int, note: str | None
const Order = defineMessage(
  "Order",
  z.object({ item: z.string().min(1), quantity: z.int().positive(), note: z.string().nullable().default(null) }),
  { answer: Receipt },
);

class Shop extends RoutedAgent {
  @rpc(Order)
  sell(order: MessageOf<typeof Order>) {
    return Receipt({ text: `${order.quantity} × ${order.item}${order.note === null ? "" : ` (${order.note})`}` });
  }
}

function complaint(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    assert(error instanceof TroupeError);
    assert.equal(error.code, "invalid-message");
    return error.message;
  }
  throw new assert.AssertionError({ message: "expected a complaint" });
}

await using runtime = new SingleThreadedAgentRuntime();
await runtime.start();
await Shop.register(runtime, "shop", () => new Shop("sells things"));

const order = Order({ item: "violin", quantity: 2 }); // the default makes `note` null, as Python expects it
const receipt = await runtime.sendMessage(order, new AgentId("shop", "main_street")); // typed: a Receipt
console.log(`sold: ${receipt.text}`);
assert.equal(receipt.text, "2 × violin");

const ours = complaint(() => Order({ item: "", quantity: 1.5 }));
console.log(`our own mistake: ${ours}`);
assert.match(ours, /Order/);
assert.match(ours, /quantity/);

const fromPython = (text: string) => Order.deserialize(new TextEncoder().encode(text));
assert.deepEqual(fromPython('{"item": "viola", "quantity": 1, "note": null}'), Order({ item: "viola", quantity: 1 }));

const theirs = complaint(() => fromPython('{"item": "viola", "quantity": "three"}'));
console.log(`a Python sender's mistake: ${theirs}`);
assert.match(theirs, /Order/);
assert.match(theirs, /quantity/);

// @ts-expect-error a quantity is a number: the compiler sees it before anybody else
complaint(() => Order({ item: "cello", quantity: "one" }));
