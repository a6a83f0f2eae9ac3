import { expect, it } from "vitest";
import type { Clock } from "../../../../src/core/index.ts";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { CallRouter } from "../../../../src/host/calls/call-router.ts";
import { DotnetAnswers } from "../../../../src/host/calls/dotnet-answers.ts";
import { createHostCounters } from "../../../../src/host/counters.ts";
import { EventRouter } from "../../../../src/host/events/event-router.ts";
import { limits } from "../../../../src/host/limits.ts";
import { Observers } from "../../../../src/host/observer.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import { TopicIndex } from "../../../../src/host/registry/subscriptions/topic-index.ts";
import type { FrameUse, Peer, SendOutcome } from "../../../../src/host/sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../../../../src/host/sessions/pending-call.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameBytes,
  joinFrame,
  peekFrame,
} from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { createUncountedAccount } from "../../../../src/transport/internal.ts";
import { openPlacement } from "../../../support/open-placement.ts";
import { TurnClock } from "../../../support/turn-clock.ts";

/** A peer without a session: as a worker at another host would be. */
class FarPeer implements Peer {
  readonly id: string;
  readonly worker;
  readonly dotnet = undefined;
  readonly traits = {
    takesJsonEvents: true,
    maxFrameBytes: 10_000,
    isAnnounced: true,
    capabilities: new Set<never>(),
    reconnectGraceMs: 0,
  };
  readonly isOpen = true;
  readonly account = createUncountedAccount();
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  readonly got: (readonly [use: FrameUse, frame: Frame])[] = [];

  constructor(id: string) {
    this.id = id;
    this.worker = { id, name: id, version: undefined, labels: {} };
  }

  send(frame: FrameBytes, use: FrameUse): SendOutcome {
    this.got.push([use, decodeFrame(joinFrame(frame))]);
    return "queued";
  }

  notify(notice: Uint8Array): SendOutcome {
    return this.send(notice, "notice");
  }
}

function setUp({ clock = new ManualClock(), maxPendingCalls = 10 }: { clock?: Clock; maxPendingCalls?: number } = {}) {
  const [caller, target] = [new FarPeer("C"), new FarPeer("T")];
  const peers = new Map([caller, target].map((peer) => [peer.id, peer]));
  const owners = new TypeTable();
  owners.claim("a", "T");
  const counters = createHostCounters();
  const table = { of: (id: string) => peers.get(id) };
  const { placement, leaving, directory, workers } = openPlacement({ clock, owners, peers: table });
  const shared = { counters, owners, placement, leaving, directory, workers, peers: table, observers: new Observers() };
  const calls = new CallRouter({
    ...shared,
    dotnetAnswers: new DotnetAnswers({ dotnetErrors: "withhold", counters, logger: undefined }),
    // One address gets two thirds of them.
    bounds: { maxPendingCalls: 2 * maxPendingCalls, maxPendingCallsPerSession: maxPendingCalls },
    ...{ callTimeoutMs: 1_000, channelWaitMs: 0, clock, batches: new BatchRunner(clock), makeId: () => "mark" },
  });
  const topics = new TopicIndex();
  const events = new EventRouter({ ...shared, topics, logger: undefined });
  return { caller, target, calls, events, topics };
}

type Peeked = ReturnType<typeof peekFrame>;

function peeked<Kind extends Peeked["kind"]>(frame: Frame & { readonly kind: Kind }): Extract<Peeked, { kind: Kind }> {
  const found: Peeked = peekFrame(encodeFrame(frame));
  if (found.kind !== frame.kind) throw new Error(`expected ${frame.kind}, got ${found.kind}`);
  // The kind was just compared; TypeScript can't narrow by a type parameter.
  return found as Extract<Peeked, { kind: Kind }>;
}

const request = (requestId: string) =>
  peeked({
    ...{ kind: "request", requestId, source: undefined, payload: undefined, metadata: {} },
    target: { type: "a", key: "k" },
  });

it("carries a call, its answer and a cancel between peers that are no sessions", () => {
  const { caller, target, calls } = setUp();
  calls.route(caller, request("1"));
  const [use, frame] = target.got[0] ?? [];
  expect([use, frame?.kind, target.incomingCalls.size, caller.outgoingCalls.size]).toEqual(["call", "request", 1, 1]);
  const requestId = frame?.kind === "request" ? frame.requestId : "";
  calls.answer(target, peeked({ kind: "response", requestId, payload: undefined, error: "", metadata: {} }));
  expect(caller.got).toMatchObject([["answer", { kind: "response", requestId: "1" }]]);
  calls.route(caller, request("2"));
  calls.ends.cancel(caller, { kind: "cancel", requestId: "2", reason: "cancelled" });
  expect(target.got.at(-1)).toMatchObject(["notice", { kind: "cancel", reason: "cancelled" }]);
  expect([target.incomingCalls.size, caller.outgoingCalls.size]).toEqual([0, 0]);
});

it("fails the calls of a peer that ends", () => {
  const { caller, target, calls } = setUp();
  calls.route(caller, request("1"));
  calls.peerEnded(target, { inOrder: false });
  expect(caller.got).toMatchObject([["answer", { requestId: "1", metadata: { agerrorcode: "disconnected" } }]]);
});

const many = 4 * limits.batchSize;

/** The answers that the caller gets in this turn of the event loop, and in each later one. */
function perTurn(caller: FarPeer, clock: TurnClock): readonly number[] {
  const counts: number[] = [];
  do counts.push(caller.got.splice(0).length);
  while (clock.turn());
  return counts;
}

it("answers calls that time out all at once in batches, each once", () => {
  const times = new ManualClock();
  const turns = new TurnClock();
  // Time limits by one clock, turns of the event loop by the other.
  const clock: Clock = {
    now: () => times.now(),
    wallNow: () => times.wallNow(),
    setTimer: (delayMs, callback) => (delayMs > 0 ? times : turns).setTimer(delayMs, callback),
  };
  const { caller, target, calls } = setUp({ clock, maxPendingCalls: many });
  for (let index = 0; index < many; index += 1) calls.route(caller, request(`${index}`));
  const asked = target.got.flatMap(([, frame]) => (frame.kind === "request" ? [frame.requestId] : []));
  times.advance(1_000);
  expect(calls.pendingCount).toBe(0);
  for (const requestId of asked) {
    calls.answer(target, peeked({ kind: "response", requestId, payload: undefined, error: "", metadata: {} }));
  }
  const counts = perTurn(caller, turns);
  expect(Math.max(...counts)).toBe(limits.batchSize);
  expect(counts.reduce((sum, count) => sum + count)).toBe(many);
});

it("ends the calls of a host that stops in batches", async () => {
  const clock = new TurnClock();
  const { caller, calls } = setUp({ clock, maxPendingCalls: many });
  for (let index = 0; index < many; index += 1) calls.route(caller, request(`${index}`));
  const drained = calls.drain();
  const counts = perTurn(caller, clock);
  expect(Math.max(...counts)).toBe(limits.batchSize);
  expect(counts.reduce((sum, count) => sum + count)).toBe(many);
  await drained;
});

it("sends an event to such a peer once, however many of its types match", () => {
  const { caller, target, events, topics } = setUp();
  topics.add({ kind: "type", topicType: "t", agentType: "a" });
  topics.add({ kind: "prefix", topicTypePrefix: "t", agentType: "a" });
  const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array() };
  const event = { id: "E", topicType: "t", topicSource: "s", sender: undefined, payload, attributes: {} };
  events.route(caller, peeked({ kind: "event", event }));
  expect(target.got).toMatchObject([["event", { kind: "event" }]]);
});
