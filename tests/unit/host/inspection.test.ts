import { expect, it } from "vitest";
import type { Clock } from "../../../src/core/index.ts";
import { createHostCounters } from "../../../src/host/counters.ts";
import { HostServicer } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import type { CallContext, ServerStream } from "../../../src/transport/index.ts";

const workers = 10_000;

/** A host with so many sessions on streams that do nothing. */
function crowdedHost(clock: Clock): HostServicer {
  const servicer = new HostServicer({ clock });
  // Only what a session reads of a stream that nobody uses.
  const stream = { queuedBytes: 0, queuedFrames: 0 } as ServerStream;
  for (let number = 0; number < workers; number += 1) {
    const call: CallContext = {
      ...{ method: "OpenChannel", metadata: { "client-id": `W${number}` }, peer: "nowhere" },
      signal: new AbortController().signal,
    };
    servicer.openChannel(call).onOpen(stream);
  }
  return servicer;
}

it("gathers 10,000 sessions in turns between which the host has time for messages", async () => {
  const due: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    wallNow: () => 0,
    setTimer: (_delayMs, task) => {
      due.push(task);
      return { cancel: () => undefined };
    },
  };
  const gathered = crowdedHost(clock).inspect();
  let turns = 0;
  for (let task = due.shift(); task !== undefined; task = due.shift()) {
    turns += 1;
    task();
  }
  // Each is a session and a worker.
  expect(turns).toBe((2 * workers) / limits.batchSize);
  const { sessions, workers: listed, totals, isCut } = await gathered;
  expect([sessions.length, listed.length, isCut]).toEqual([workers, workers, false]);
  expect(totals).toMatchObject({ ...createHostCounters(), channels: workers });
});

it("stops gathering when its signal aborts", async () => {
  const clock = new ManualClock();
  const servicer = crowdedHost(clock);
  const giveUp = new AbortController();
  const gathered = expect(servicer.inspect({ signal: giveUp.signal })).rejects.toBe("enough");
  giveUp.abort("enough");
  clock.advance(0);
  await gathered;
  expect(clock.pendingTimers).toBe(0);
});

it("lists a worker once that leaves and comes back meanwhile, and its types too", async () => {
  const due: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    wallNow: () => 0,
    setTimer: (delayMs, task) => {
      if (delayMs === 0) due.push(task);
      return { cancel: () => undefined };
    },
  };
  const servicer = new HostServicer({ clock });
  // Only what a session uses of a stream that has no user.
  const stream = { queuedBytes: 0, queuedFrames: 0, unsentFrames: 0, unconfirmedFrames: 0 } as ServerStream;
  const join = async (number: number) => {
    const call: CallContext = {
      ...{ method: "OpenChannel", metadata: { "client-id": `W${number}` }, peer: "nowhere" },
      signal: new AbortController().signal,
    };
    const receiver = servicer.openChannel(call);
    receiver.onOpen(stream);
    await servicer.registerAgent({ agentType: `t${number}` }, call);
    return receiver;
  };
  const all = await Promise.all(Array.from({ length: 2 * limits.batchSize + 200 }, (_, number) => join(number)));
  const gathered = servicer.inspect();
  due.shift()?.();
  for (const [number, receiver] of all.slice(0, 300).entries()) {
    receiver.onEnd({ by: "peer" });
    await join(number);
  }
  for (let task = due.shift(); task !== undefined; task = due.shift()) task();
  const { sessions, types } = await gathered;
  expect(sessions).toHaveLength(all.length);
  expect(new Set(sessions.map(({ clientId }) => clientId)).size).toBe(all.length);
  expect(new Set(types.map(({ agentType }) => agentType)).size).toBe(types.length);
});
