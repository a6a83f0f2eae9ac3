// Bank account: the handlers of one agent interleave at their awaits, and ten concurrent deposits leave a wrong balance.
// Shows two ways to be right: no await between reading and writing, or a `sequential` type, one message after the other.
// Shows what a sequential agent still does meanwhile: a handler that interleaves, and a call that comes back to its agent.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import {
  AgentId,
  defineMessage,
  handlerTable,
  type RegisterOptions,
  RoutedAgent,
  SingleThreadedAgentRuntime,
} from "troupe";
import { z } from "zod";

const Balance = defineMessage("Balance", z.object({ amount: z.number() }));
const Deposit = defineMessage("Deposit", z.object({ amount: z.number() }), { answer: Balance });
const DepositTwice = defineMessage("DepositTwice", z.object({ amount: z.number() }), { answer: Balance });
const AskBalance = defineMessage("AskBalance", z.object({}), { answer: Balance });
const AskDepositsUnderWay = defineMessage("AskDepositsUnderWay", z.object({}), { answer: Balance });

/** Reads its balance, asks the bank, writes its balance. Meanwhile other handlers of the same agent may run. */
class Account extends RoutedAgent {
  balance = 0;
  underWay = 0;

  static override readonly handlers = handlerTable<Account>()
    .rpc(Deposit, async function ({ amount }) {
      this.underWay += 1;
      const before = this.balance;
      await pause(1); // the bank is asked whether it is all right
      this.balance = before + amount;
      this.underWay -= 1;
      return Balance({ amount: this.balance });
    })
    .rpc(DepositTwice, async function ({ amount }, { signal }) {
      await this.sendMessage(Deposit({ amount }), this.id, { signal });
      return await this.sendMessage(Deposit({ amount }), this.id, { signal });
    })
    .rpc(
      AskBalance,
      function () {
        return Balance({ amount: this.balance });
      },
      { readOnly: true },
    )
    .rpc(
      AskDepositsUnderWay,
      function () {
        return Balance({ amount: this.underWay });
      },
      { interleaves: true },
    );
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

async function start(register: (runtime: SingleThreadedAgentRuntime) => Promise<unknown>) {
  const runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  await register(runtime);
  return runtime;
}

const accounts = (options?: RegisterOptions) => (runtime: SingleThreadedAgentRuntime) =>
  Account.register(runtime, "account", () => new Account("keeps Ada's money"), options);

/** Ten deposits of 10 at once; the balance they leave. */
async function depositTen(runtime: SingleThreadedAgentRuntime): Promise<number> {
  const deposit = () => runtime.sendMessage(Deposit({ amount: 10 }), id);
  const balances = await Promise.all(Array.from({ length: 10 }, deposit));
  return Math.max(...balances.map(({ amount }) => amount));
}

await using interleaving = await start(accounts());
const wrong = await depositTen(interleaving);
console.log(`handlers that interleave: 10 deposits of 10 leave ${wrong}`);
assert.equal(wrong, 10);

await using careful = await start((runtime) =>
  CarefulAccount.register(runtime, "account", () => new CarefulAccount("keeps Ada's money")),
);
const right = await depositTen(careful);
console.log(`no await between reading and writing: ${right}`);
assert.equal(right, 100);

await using sequential = await start(accounts({ concurrency: "sequential" }));
const inTurn = await depositTen(sequential);
console.log(`a sequential type: ${inTurn}`);
assert.equal(inTurn, 100);

// One deposit runs and one waits. What interleaves sees the first one under way, what only reads waits for both.
const deposits = [1, 2].map(() => sequential.sendMessage(Deposit({ amount: 10 }), id));
const [balance, underWay] = await Promise.all([
  sequential.sendMessage(AskBalance({}), id),
  sequential.sendMessage(AskDepositsUnderWay({}), id),
  ...deposits,
]);
console.log(`asked meanwhile: ${underWay.amount} deposit is under way, and the balance is ${balance.amount}`);
assert.deepEqual([underWay.amount, balance.amount], [1, 120]);

// Its handler has the turn, and calls its own agent: these calls are let in, and a deposit from elsewhere waits.
const [twice, after] = await Promise.all([
  sequential.sendMessage(DepositTwice({ amount: 10 }), id),
  sequential.sendMessage(Deposit({ amount: 10 }), id),
]);
console.log(`an agent that calls itself: ${twice.amount}, then ${after.amount}`);
assert.deepEqual([twice.amount, after.amount], [140, 150]);
