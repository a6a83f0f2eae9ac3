import { expect, test } from "vitest";
import { limits } from "../../../../../src/host/limits.ts";
import { decodeGetSubscriptionsResponse } from "../../../../../src/protocol/internal.ts";
import {
  createMemoryAccountant,
  type MemoryAccount,
  type MemoryAccountant,
  StatusCode,
} from "../../../../../src/transport/internal.ts";
import { exact } from "../../../../support/raw-worker.ts";
import { openRegistry } from "../open-registry.ts";

const count = 10_000;
const callers = 900;
const tasksPerList = count / limits.listedAtOnce;

/** A registry with many subscriptions. `made` counts the lists that it has encoded: each has an account. */
function setUp(accountant: MemoryAccountant = createMemoryAccountant()) {
  let made = 0;
  const { registry, clock } = openRegistry({
    openListAccount: (giveWay) => {
      made += 1;
      return accountant.openAccount({ party: "the host", name: "list of subscriptions", giveWay });
    },
  });
  registry.clientArrived("X");
  for (let index = 0; index < count; index += 1)
    registry.addSubscription("X", { id: `S${index}`, pattern: exact("t", `a${index}`) });
  const call = (options: { signal?: AbortSignal; account?: MemoryAccount } = {}) =>
    registry.listing.list({ signal: options.signal ?? new AbortController().signal, account: options.account });
  const calls = () => Array.from({ length: callers }, () => call());
  return { registry, clock, accountant, call, calls, made: () => made };
}

function idsIn(list: Uint8Array | undefined): readonly string[] {
  return decodeGetSubscriptionsResponse(list ?? new Uint8Array()).map(({ id }) => id);
}

test("900 callers at once share one list, which is one buffer, made in turns", async () => {
  const { clock, calls, made } = setUp();
  const answers = calls();
  expect(clock.turns()).toBeGreaterThanOrEqual(tasksPerList / limits.batchSize - 1);
  const lists = new Set(await Promise.all(answers));
  expect([lists.size, made()]).toEqual([1, 1]);
  expect(idsIn([...lists][0])).toHaveLength(count);
});

test("a table that has not changed is encoded once, whenever it is asked for", async () => {
  const { clock, call, calls, made } = setUp();
  const first = call();
  clock.turns();
  const lists = new Set([await first, ...(await Promise.all(calls()))]);
  expect([lists.size, made()]).toEqual([1, 1]);
});

test("callers after a change get the next list, and while one is made only one more is wanted", async () => {
  const { registry, clock, calls, made } = setUp();
  const before = calls();
  const after: Promise<Uint8Array>[] = [];
  for (let change = 0; change < 5; change += 1) {
    registry.addSubscription("X", { id: `new-${change}`, pattern: exact("t", "b".repeat(change + 1)) });
    registry.removeSubscription("X", `S${change}`);
    after.push(...calls());
  }
  clock.turns();
  expect(made()).toBe(2);
  expect(new Set(await Promise.all(before)).size).toBe(1);
  const late = new Set(await Promise.all(after));
  expect(late.size).toBe(1);
  const ids = idsIn([...late][0]);
  expect(ids).toHaveLength(count);
  expect([ids[0], ids.at(-1)]).toEqual(["S5", "new-4"]);
});

test("a list has nothing that came after its beginning, so that no subscription is in it twice", async () => {
  const { registry, clock, call } = setUp();
  const answer = call();
  clock.turn();
  registry.removeSubscription("X", "S0");
  registry.addSubscription("X", { id: "S0", pattern: exact("t", "a0") });
  clock.turns();
  expect(idsIn(await answer).filter((id) => id === "S0")).toHaveLength(1);
});

test("callers who leave are dropped, and nothing is made for nobody", async () => {
  const { clock, call, made } = setUp();
  const leaving = new AbortController();
  const answers = Array.from({ length: 10 }, () => call({ signal: leaving.signal }));
  leaving.abort("gone");
  for (const answer of answers) await expect(answer).rejects.toBe("gone");
  // One turn ends the list, one has nothing to do.
  expect(clock.turns()).toBeLessThanOrEqual(2);
  const list = call();
  clock.turns();
  expect(idsIn(await list)).toHaveLength(count);
  expect(made()).toBe(2);
});

test("its bytes are counted until the table changes, and a caller that waits is on the caller's account", async () => {
  const { registry, clock, accountant, call } = setUp();
  const account = accountant.openAccount({ party: "p", name: "connection p", giveWay: () => undefined });
  const answer = call({ account });
  expect(account.held).toBeGreaterThan(0);
  expect(accountant.heldBytes).toBeGreaterThan(account.held);
  clock.turns();
  const { length } = await answer;
  expect(account.held).toBe(0);
  expect(accountant.heldBytes).toBe(length);
  registry.removeSubscription("X", "S0");
  expect(accountant.heldBytes).toBe(0);
});

test("a list without space is refused, and one that is kept goes first when others need space", async () => {
  const small = setUp(createMemoryAccountant({ maxBytes: 100_000 }));
  const refused = small.call();
  small.clock.turns();
  await expect(refused).rejects.toMatchObject({ code: StatusCode.resourceExhausted });
  expect(small.accountant.heldBytes).toBe(0);

  const { clock, accountant, call, made } = setUp(createMemoryAccountant({ maxBytes: 2_500_000 }));
  const kept = call();
  clock.turns();
  await kept;
  const open = (party: string) =>
    accountant.openAccount({ party, name: `connection ${party}`, giveWay: () => undefined });
  const free = () => accountant.maxBytes - accountant.heldBytes;
  for (let party = 0; free() > 5_000; party += 1) open(`${party}`).take(2_000);
  expect(open("late").take(free() + 500)).toBe(true);
  expect(accountant.gaveWay).toBe(1);
  const again = call();
  clock.turns();
  await again.catch(() => undefined);
  expect(made()).toBe(2);
});
