import { expect, test } from "vitest";
import type { KeptCommit } from "../../../../src/core/internal.ts";
import { type Hosted, HostedKeeper, type HostStates } from "../../../../src/worker/agents/hosted-keeper.ts";
import type { HostAsk } from "../../../../src/worker/connection/streams/state-stream.ts";

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
  const left: number[] = [];
  const answer = (number: number, way: Way | undefined) => ({
    bytes: Uint8Array.of(number),
    way,
    isLost: false,
    left: () => left.push(number),
  });
  const keeper = new HostedKeeper({
    host: () => now,
    hostKeepsRuns: () => true,
    sendEvent: () => undefined,
    remindersChanged: () => undefined,
  });
  const outcome = await keeper.commit({
    ...{ agent: { type: "a", key: "b" }, epoch: undefined, expected: { at: "nothing" }, write: { at: "delete" } },
    ...{ reminders: [], mail: [], remembered: [], out: [answer(3, undefined), answer(1, old), answer(2, now)] },
  });
  expect(outcome.at).toBe("committed");
  expect(now.asked).toEqual([]);
  expect(old.asked).toMatchObject([{ kind: "commit", answers: [Uint8Array.of(1)] }]);
  expect(left).toEqual([1]);
});

test("nothing of runs goes to a host that has not said that it keeps them", async () => {
  const host = new Way();
  let keepsRuns: boolean | undefined;
  const keeper = new HostedKeeper({
    ...{ host: () => host, hostKeepsRuns: () => keepsRuns },
    ...{ sendEvent: () => undefined, remindersChanged: () => undefined },
  });
  const agent = { type: "a", key: "b" };
  const change: KeptCommit<Hosted> = {
    ...({ agent, epoch: undefined, expected: { at: "anything" }, write: { at: "keep" } } as const),
    ...({ reminders: [], mail: [], remembered: [], runs: [{ at: "takeover", id: "r" }], out: [] } as const),
  };
  for (keepsRuns of [undefined, false]) {
    expect(keeper.keepsRuns).toBe(keepsRuns === undefined);
    expect(await keeper.commit(change)).toMatchObject({ at: "failed", error: { code: "disconnected" } });
    await expect(keeper.readRun({ agent, id: "r" }, {})).rejects.toMatchObject({ code: "disconnected" });
    await expect(keeper.listRuns({ agent })).rejects.toMatchObject({ code: "disconnected" });
  }
  expect(host.asked).toEqual([]);
  keepsRuns = true;
  await keeper.commit(change);
  expect(host.asked).toMatchObject([{ kind: "commit", runs: [{ at: "takeover", id: "r" }] }]);
});
