import type { Epoch } from "../../src/core/internal.ts";
import { BatchRunner } from "../../src/host/batch-runner.ts";
import { createHostCounters } from "../../src/host/counters.ts";
import { EventRouter } from "../../src/host/events/event-router.ts";
import { limits } from "../../src/host/limits.ts";
import { type HostObserver, type HostOccurrence, Observers } from "../../src/host/observer.ts";
import { TypeTable } from "../../src/host/placement/type-table.ts";
import { TopicIndex } from "../../src/host/registry/subscriptions/topic-index.ts";
import type { FrameUse, Peer, SendOutcome } from "../../src/host/sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../../src/host/sessions/pending-call.ts";
import {
  type ClaimedAgent,
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameBytes,
  joinFrame,
  type LeaveReason,
  peekFrame,
  type ReturnedFrame,
  recipientsIn,
} from "../../src/protocol/internal.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { createUncountedAccount } from "../../src/transport/internal.ts";
import { openPlacement } from "./open-placement.ts";
import { TurnClock } from "./turn-clock.ts";

export interface Arrival {
  readonly frame: Frame;
  readonly bytes: Uint8Array;
}

/** A channel of a worker without a stream: it keeps what the host sends. */
export class KeptChannel implements Peer {
  readonly id: string;
  readonly worker;
  readonly dotnet = undefined;
  readonly traits;
  isOpen = true;
  /** Whether its queue takes no notices. */
  isFull = false;
  account: Peer["account"] = createUncountedAccount();
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  readonly arrived: Arrival[] = [];

  constructor(id: string, workerId: string, isStock = false) {
    this.id = id;
    this.worker = { id: workerId, name: workerId, version: undefined, labels: {} };
    this.traits = {
      ...{ takesJsonEvents: true, maxFrameBytes: 1_000_000, isAnnounced: !isStock, reconnectGraceMs: 0 },
      capabilities: new Set(isStock ? [] : (["claims", "mail"] as const)),
    };
  }

  send(frame: FrameBytes, use: FrameUse): SendOutcome {
    if (!this.isOpen) return "closed";
    if (use === "notice" && this.isFull) return "full";
    const bytes = new Uint8Array(joinFrame(frame));
    this.arrived.push({ frame: decodeFrame(bytes), bytes });
    return "queued";
  }

  notify(notice: Uint8Array): SendOutcome {
    return this.send(notice, "notice");
  }

  /** Takes the notices that have come, in short; events stay out. */
  notices(): string[] {
    return this.arrived.splice(0).flatMap(({ frame }) => (frame.kind === "event" ? [] : [inShort(frame)]));
  }

  /** Takes all that has come, in short. */
  take(): string[] {
    return this.arrived.splice(0).map(({ frame }) => inShort(frame));
  }
}

function inShort(frame: Frame): string {
  switch (frame.kind) {
    case "event":
      return `${frame.event.id} for ${frame.event.topicSource}`;
    case "leave":
      return `leave ${frame.reason} ${frame.graceMs}: ${frame.agents.map(({ key }) => key).join(",")}`;
    default:
      return frame.kind;
  }
}

/** The parts of a host that place agents of the shared type `room`, with the events for them, on a manual clock. */
export class PlacementWorld {
  readonly clock = new ManualClock();
  readonly counters = createHostCounters();
  readonly turns = new TurnClock();
  readonly batches = new BatchRunner(this.turns);
  readonly owners = new TypeTable({
    sharedTypes: ["room"],
    onSharedGone: (type) => {
      this.directory.typeGone(type);
      this.leaving.typeGone(type);
    },
  });
  readonly ended: string[] = [];
  readonly claims: HostOccurrence[] = [];
  readonly publisher = new KeptChannel("P", "P");
  readonly #peers = new Map<string, KeptChannel>();
  readonly #topics = new TopicIndex();
  readonly #parts = openPlacement({
    ...{ clock: this.clock, owners: this.owners, batches: this.batches, counters: this.counters },
    peers: { of: (id: string) => this.#peers.get(id) },
    maxClaims: 50_000,
    placement: "round-robin",
    endCalls: (peers) => this.ended.push(...peers.map(({ id }) => id)),
    observers: observersOf((occurrence) => void this.claims.push(occurrence)),
  });
  readonly placement = this.#parts.placement;
  readonly leaving = this.#parts.leaving;
  readonly drains = this.#parts.drains;
  readonly directory = this.#parts.directory;
  readonly workers = this.#parts.workers;
  readonly events = new EventRouter({
    ...{ counters: this.counters, owners: this.owners, placement: this.placement, directory: this.directory },
    ...{ leaving: this.leaving, topics: this.#topics, peers: { of: (id: string) => this.#peers.get(id) } },
    ...{ logger: undefined, observers: new Observers() },
  });

  constructor() {
    this.#topics.add({ kind: "type", topicType: "news", agentType: "room" });
  }

  /** Opens a channel of a worker, which serves `room`. */
  open(id: string, workerId = id, isStock = false): KeptChannel {
    const channel = new KeptChannel(id, workerId, isStock);
    this.#peers.set(id, channel);
    this.owners.claim("room", id, isStock ? {} : { sharing: { placement: undefined, requires: {} } });
    this.placement.peerOpened(channel);
    return channel;
  }

  /** Ends a channel. */
  end(channel: KeptChannel): void {
    channel.isOpen = false;
    this.#peers.delete(channel.id);
    this.placement.peerEnded(channel);
    this.owners.release("room", channel.id);
    this.placement.changed();
  }

  publish(key: string, id: string): void {
    const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array() };
    const event = { id, topicType: "news", topicSource: key, sender: undefined, payload, attributes: {} };
    const peeked = peekFrame(encodeFrame({ kind: "event", event }));
    if (peeked.kind === "event") this.events.route(this.publisher, peeked);
  }

  /** The claim of an agent as its worker names it. */
  claimed(key: string): ClaimedAgent {
    const type = this.owners.shared("room");
    const claim = type && this.directory.find(type, key);
    if (claim === undefined) throw new Error(`no worker holds room/${key}`);
    return { type: "room", key, epoch: claim.epoch };
  }

  ask(from: KeptChannel, keys: readonly string[], reason: LeaveReason = "asked"): readonly ClaimedAgent[] {
    const agents = keys.map((key) => this.claimed(key));
    this.leaving.asked(from, agents, reason);
    return agents;
  }

  giveBack(from: KeptChannel, agent: ClaimedAgent, message: Uint8Array, more: Partial<ReturnedFrame> = {}): void {
    const peeked = peekFrame(message);
    const notice = { kind: "returned", agents: [agent], reason: "leaving", message, ...more } as const;
    if (peeked.kind === "event") this.events.takeBack(from, notice, peeked);
  }

  /** Uses up what may run in this turn of the event loop: further long work waits for `turn`. */
  fillTurn(): void {
    this.batches.add(
      {},
      Array.from({ length: limits.batchSize }, () => () => undefined),
    );
  }

  /** The event loop goes round. */
  turn(): void {
    this.turns.turn();
  }
}

/** The epoch under which an event names its agent. */
export function epochIn({ frame }: Arrival): Epoch | undefined {
  return frame.kind === "event" ? recipientsIn(frame.event.attributes).get("room") : undefined;
}

function observersOf(observer: HostObserver): Observers {
  const observers = new Observers();
  observers.add(observer);
  return observers;
}
