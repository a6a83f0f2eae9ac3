import { expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { AskQueue } from "../../../../src/host/states/ask-queue.ts";
import type { TakenAsk } from "../../../../src/host/states/state-service.ts";
import type { StatesAnswer } from "../../../../src/protocol/internal.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";

type Answer = Awaited<ReturnType<TakenAsk["run"]>>;

const maxBytes = 1_000_000;

/** A queue whose asks the test answers. `heldBytes`: what the asks take of the host's memory. */
function openQueue() {
  const accountant = createMemoryAccountant({ maxBytes: 100 * maxBytes });
  const account = accountant.openAccount({ party: "p", name: "states of p", giveWay: () => undefined });
  const atStore: ((answer: Answer) => void)[] = [];
  const answers: StatesAnswer[] = [];
  let dropped = 0;
  const queue = new AskQueue({ account, maxBytes, onAnswer: (answer) => answers.push(answer) });
  const add = (isCommit: boolean, bytes = 100): void => {
    const run = () => new Promise<Answer>((resolve) => atStore.push(resolve));
    const drop = (): void => {
      dropped += 1;
    };
    queue.add({ isCommit, run, drop }, bytes);
  };
  return { queue, add, atStore, answers, droppedCount: () => dropped, heldBytes: () => account.held };
}

const nothing: Answer = { kind: "loaded", seq: 1, outcome: { at: "nothing" } };

it("a worker that asks for states has some loads at the store at once, and the others in their order behind them", async () => {
  const { queue, add, atStore, answers } = openQueue();
  for (let asked = 0; asked < 2 * limits.stateLoadsAtOnce; asked += 1) add(false);
  queue.start();
  expect(atStore).toHaveLength(limits.stateLoadsAtOnce);
  for (const answer of atStore) answer(nothing);
  await new Promise((resolve) => setImmediate(resolve));
  expect(answers).toHaveLength(limits.stateLoadsAtOnce);
  queue.start();
  expect(atStore).toHaveLength(2 * limits.stateLoadsAtOnce);
});

it("asks that the host drops for space take none of its memory any more", () => {
  const { queue, add, atStore, droppedCount, heldBytes } = openQueue();
  const before = heldBytes();
  for (let asked = 0; asked < limits.stateAsksAtOnce + 100; asked += 1) add(true, 1_000);
  queue.start();
  expect(atStore).toHaveLength(limits.stateAsksAtOnce);
  const each = (heldBytes() - before) / (limits.stateAsksAtOnce + 100);
  queue.dropWaiting();
  expect([droppedCount(), queue.size]).toEqual([100, limits.stateAsksAtOnce]);
  expect(heldBytes() - before).toBe(each * limits.stateAsksAtOnce);
});
