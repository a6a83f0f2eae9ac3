// Bank account: the handlers of one agent interleave at their awaits, and ten concurrent deposits leave a wrong balance.
// Shows two ways to be right: no await between reading and writing, or a `sequential` type, one message after the other.
// Shows what a sequential agent still does meanwhile: a handler that interleaves, and a call that comes back to its agent.
// A persistent account is sequential by itself. A deposit that fails takes nothing along, and another runtime reads what was kept.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import {
  AgentId,
  defineMessage,
  defineState,
  handlerTable,
  persistentAgent,
  type RegisterOptions,
  RoutedAgent,
  SingleThreadedAgentRuntime,
  type SingleThreadedAgentRuntimeOptions,
} from "troupe";
import { MemoryStateStore } from "troupe/storage";
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

const Kept = defineState(z.object({ balance: z.number() }), { initial: { balance: 0 } });

/** Writes its balance before it asks the bank. If the bank refuses, the turn fails, and the state goes back. */
class PersistentAccount extends persistentAgent(Kept) {
  static override readonly handlers = handlerTable<PersistentAccount>().rpc(Deposit, async function ({ amount }) {
    this.state.balance += amount;
    await pause(1);
    if (amount > 1_000) throw new Error("the bank refuses so much");
    return Balance({ amount: this.state.balance });
  });
}

const id = new AgentId("account", "ada");

async function start(
  register: (runtime: SingleThreadedAgentRuntime) => Promise<unknown>,
  options?: SingleThreadedAgentRuntimeOptions,
) {
  const runtime = new SingleThreadedAgentRuntime(options);
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

// A file or a database in place of this store outlives the process as well.
await using stateStore = new MemoryStateStore();
const persistent = (runtime: SingleThreadedAgentRuntime) =>
  PersistentAccount.register(runtime, "account", () => new PersistentAccount("keeps Ada's money"));
{
  await using runtime = await start(persistent, { stateStore });
  const refused = runtime.sendMessage(Deposit({ amount: 5_000 }), id);
  const [kept] = await Promise.all([depositTen(runtime), assert.rejects(refused, /refuses/)]);
  console.log(`a persistent account, with one deposit that the bank refuses: ${kept}`);
  assert.equal(kept, 100);
}
await using later = await start(persistent, { stateStore });
const { amount } = await later.sendMessage(Deposit({ amount: 10 }), id);
console.log(`another runtime on the same store: ${amount}`);
assert.equal(amount, 110);
