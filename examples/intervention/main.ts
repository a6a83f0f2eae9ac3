// Intervention: look at, change or drop messages before agents see them. Shows a chain of two handlers. The first hides
// card numbers; the second lets only the bank reach the vault. They run in the given order, and each sees the result of
// the one before.
import assert from "node:assert/strict";
import {
  AgentId,
  DefaultInterventionHandler,
  DropMessage,
  defineMessage,
  MessageDroppedException,
  type MessageOf,
  RoutedAgent,
  rpc,
  SingleThreadedAgentRuntime,
} from "troupe";
import { z } from "zod";

const Stored = defineMessage("Stored", z.object({ text: z.string() }));
const Store = defineMessage("Store", z.object({ text: z.string() }), { answer: Stored });

class Archive extends RoutedAgent {
  @rpc(Store)
  store({ text }: MessageOf<typeof Store>) {
    return Stored({ text });
  }
}

class BlackOutCards extends DefaultInterventionHandler {
  override onSend(message: unknown) {
    if (!(message instanceof Store)) return message;
    return Store({ text: message.text.replace(/\d{4}([ -]?\d{4}){3}/g, "████") });
  }
}

class GuardTheVault extends DefaultInterventionHandler {
  override onSend(
    message: unknown,
    { recipient, messageContext }: Parameters<DefaultInterventionHandler["onSend"]>[1],
  ) {
    const isBank = messageContext.sender?.type === "bank";
    return recipient.key === "vault" && !isBank ? DropMessage : message;
  }
}

await using runtime = new SingleThreadedAgentRuntime({
  interventionHandlers: [new BlackOutCards(), new GuardTheVault()],
});
await runtime.start();
await Archive.register(runtime, "archive", () => new Archive("keeps texts"));

const stored = await runtime.sendMessage(
  Store({ text: "my card is 1234 5678 9012 3456, thanks" }),
  new AgentId("archive", "letters"),
);
console.log(`The archive keeps: ${stored.text}`);
assert.equal(stored.text, "my card is ████, thanks");

const gold = Store({ text: "one bar of gold" });
const vault = new AgentId("archive", "vault");
await assert.rejects(runtime.sendMessage(gold, vault), MessageDroppedException);
console.log("A stranger's gold was dropped on its way to the vault");

const byBank = await runtime.sendMessage(gold, vault, { sender: new AgentId("bank", "1") });
console.log(`From the bank the vault takes ${byBank.text}`);
assert.equal(byBank.text, "one bar of gold");
