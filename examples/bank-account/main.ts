// Bank account: the handlers of one agent interleave at their awaits, and ten concurrent deposits leave a wrong balance.
// Shows two ways to be right: no await between reading and writing, or `sequentialAgents`, one message after the other.
// Shows the price of the second: an agent that calls itself waits for its own turn, so such a call needs a time limit.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import {
  AgentId,
  defineMessage,
  handlerTable,
  type MessageOf,
  RoutedAgent,
  SingleThreadedAgentRuntime,
  TimedOutError,
} from "troupe";
import { z } from "zod";

const Balance = defineMessage("Balance", z.object({ amount: z.number() }));
const Deposit = defineMessage("Deposit", z.object({ amount: z.number() }), { answer: Balance });
const DepositTwice = defineMessage("DepositTwice", z.object({ amount: z.number() }), { answer: Balance });

/** Reads its balance, asks the bank, writes its balance. Meanwhile other handlers of the same agent run. */
class Account extends RoutedAgent {
  balance = 0;

  static override readonly handlers = handlerTable<Account>()
    .rpc(Deposit, async function ({ amount }) {
      const before = this.balance;
      await pause(1); // the bank is asked whether it is all right
      this.balance = before + amount;
      return Balance({ amount: this.balance });
    })
    .rpc(DepositTwice, async function ({ amount }) {
      await this.sendMessage(Deposit({ amount }), this.id, { timeoutMs: 50 });
      return await this.sendMessage(Deposit({ amount }), this.id, { timeoutMs: 50 });
    });
}

/** Asks the bank first. Nothing is awaited between reading and writing, so nothing comes between. */
class CarefulAccount extends RoutedAgent {
  balance = 0;

  static override readonly handlers = handlerTable<CarefulAccount>().rpc(Deposit, async function ({ amount }) {
    await pause(1);
    this.balance += amount;
    return Balance({ amount: this.balance });
  });
}

const id = new AgentId("account", "ada");

/** Ten deposits of 10 at once; the balance they leave. */
async function depositTen(runtime: SingleThreadedAgentRuntime): Promise<number> {
  const deposit = (): Promise<MessageOf<typeof Balance>> => runtime.sendMessage(Deposit({ amount: 10 }), id);
  const balances = await Promise.all(Array.from({ length: 10 }, deposit));
  return Math.max(...balances.map(({ amount }) => amount));
}

await using interleaving = new SingleThreadedAgentRuntime();
await interleaving.start();
await Account.register(interleaving, "account", () => new Account("keeps Ada's money"));
const wrong = await depositTen(interleaving);
console.log(`handlers that interleave: 10 deposits of 10 leave ${wrong}`);
assert.equal(wrong, 10);

await using careful = new SingleThreadedAgentRuntime();
await careful.start();
await CarefulAccount.register(careful, "account", () => new CarefulAccount("keeps Ada's money"));
const right = await depositTen(careful);
console.log(`no await between reading and writing: ${right}`);
assert.equal(right, 100);

await using sequential = new SingleThreadedAgentRuntime({ sequentialAgents: true });
await sequential.start();
await Account.register(sequential, "account", () => new Account("keeps Ada's money"));
const inTurn = await depositTen(sequential);
console.log(`sequentialAgents: ${inTurn}`);
assert.equal(inTurn, 100);

// Its handler has the turn, and waits for an answer that would need the turn.
await assert.rejects(sequential.sendMessage(DepositTwice({ amount: 10 }), id), (error) => {
  assert(error instanceof TimedOutError);
  console.log(`and an agent that calls itself: ${error.message}`);
  return true;
});
const twice = await interleaving.sendMessage(DepositTwice({ amount: 10 }), id);
assert.equal(twice.amount, wrong + 20);
