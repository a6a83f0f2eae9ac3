import { expect, test } from "vitest";
import { HostedKeeper, type HostStates } from "../../../../src/worker/agents/hosted-keeper.ts";
import type { HostAsk } from "../../../../src/worker/connection/state-stream.ts";

/** A connection of a worker, which notes what it is asked. */
class Way implements HostStates {
  readonly asked: HostAsk[] = [];

  async ask(ask: HostAsk) {
    this.asked.push(ask);
    return { kind: "committed", seq: 1, outcome: { at: "committed", eTag: "e", revision: 1 } } as const;
  }
}

test("of the answers in one commit only those of its own connection ride on it; the others follow by theirs", async () => {
  const [old, now] = [new Way(), new Way()];
  const [first, second, lost] = [new Uint8Array([1]), new Uint8Array([2]), new Uint8Array([3])];
  const ways = new Map<Uint8Array, Way>([
    [first, old],
    [second, now],
  ]);
  const left: Uint8Array[] = [];
  const keeper = new HostedKeeper({
    host: () => now,
    answers: { has: () => true, wayOf: (frame) => ways.get(frame), left: (frame) => left.push(frame) },
    sendEvent: () => undefined,
    remindersChanged: () => undefined,
  });
  const outcome = await keeper.commit({
    ...{ agent: { type: "a", key: "b" }, epoch: undefined, expected: { at: "nothing" }, write: { at: "delete" } },
    ...{ reminders: [], mail: [], remembered: [], out: [lost, first, second] },
  });
  expect(outcome.at).toBe("committed");
  expect(now.asked).toEqual([]);
  expect(old.asked).toMatchObject([{ kind: "commit", answers: [first] }]);
  expect(left).toEqual([first]);
});
