import { expect, it } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import type { Session } from "../../../../src/host/sessions/session.ts";
import { failure } from "../../../../src/host/states/commit-asks.ts";
import { failedAnswer, type StateService } from "../../../../src/host/states/state-service.ts";
import { StateStream } from "../../../../src/host/states/state-stream.ts";
import { encodeStatesAsk } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import {
  createMemoryAccountant,
  type RpcStatus,
  type ServerStream,
  StatusCode,
} from "../../../../src/transport/internal.ts";

it("ends the stream of a worker for which the host has no space left, not even for the refusal of a load", () => {
  const accountant = createMemoryAccountant({ maxBytes: 1_000_000 });
  const account = accountant.openAccount({
    party: "p",
    name: "connection of p",
    maxBytes: 10_000,
    giveWay: () => undefined,
  });
  const aborted: RpcStatus[] = [];
  const stream = {
    maxSendBytes: 1_000,
    queuedFrames: 0,
    queuedBytes: 0,
    abort: (status: RpcStatus) => aborted.push(status),
  };
  const session = { isOpen: true, owner: { address: "p" }, openStateStream: () => {}, closeStateStream: () => {} };
  const service = { take: () => failedAnswer({ kind: "load", seq: 1 }, failure("overloaded", "no space")) };
  const states = new StateStream({
    session: session as unknown as Session,
    service: service as unknown as StateService,
    account,
    bounds: { maxQueuedFrames: 10, maxQueuedBytes: 1_000, whenFull: "drop" },
    clock: new ManualClock(),
    counters: createHostCounters(),
    onOpened: () => {},
    onEnded: () => {},
  });
  states.onOpen(stream as unknown as ServerStream);
  account.add(10_000);
  const agent = { type: "counter", key: "a" };
  states.onFrame(encodeStatesAsk({ kind: "load", seq: 1, agent, epoch: undefined, unless: undefined }));
  expect(aborted).toMatchObject([{ code: StatusCode.resourceExhausted }]);
});

it("waits for no worker any more when the stream of one that has left has ended", () => {
  const accountant = createMemoryAccountant({ maxBytes: 1_000_000 });
  const account = accountant.openAccount({ party: "p", name: "connection of p", giveWay: () => undefined });
  const clock = new ManualClock();
  const stream = { queuedFrames: 0, queuedBytes: 0, finish: () => undefined };
  const session = { isOpen: true, owner: { address: "p" }, openStateStream: () => {}, closeStateStream: () => {} };
  const states = new StateStream({
    session: session as unknown as Session,
    service: {} as unknown as StateService,
    account,
    bounds: { maxQueuedFrames: 10, maxQueuedBytes: 1_000, whenFull: "drop" },
    clock,
    counters: createHostCounters(),
    onOpened: () => {},
    onEnded: () => {},
  });
  states.onOpen(stream as unknown as ServerStream);
  states.finish({ code: StatusCode.ok, details: "" }, undefined);
  expect(clock.pendingTimers).toBe(1);
  states.onEnd({ by: "peer" });
  expect(clock.pendingTimers).toBe(0);
});
