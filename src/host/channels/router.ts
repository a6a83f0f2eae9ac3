import type { Clock, Logger } from "../../core/internal.ts";
import {
  type AskLeaveFrame,
  encodeFrame,
  type FrameHead,
  type HeartbeatFrame,
  type LeavingWorkerFrame,
  type LeftFrame,
  type PeekedEvent,
  type PeekedRequest,
  peekFrame,
  type ReturnedFrame,
  type StayFrame,
  type WireSubscription,
} from "../../protocol/internal.ts";
import { type CallFailure, callFailure } from "../calls/call-failures.ts";
import type { BadFrame } from "../calls/call-refusals.ts";
import type { CallRouter } from "../calls/call-router.ts";
import type { SenderCheck } from "../calls/sender-check.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { EventRouter } from "../events/event-router.ts";
import type { DurableEvents } from "../mail/durable-events.ts";
import type { ToldCalls } from "../mail/told-calls.ts";
import type { JoinsSeat } from "../membership/joins-seat.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import type { LeavingAgents } from "../placement/leaving-agents.ts";
import type { Placement } from "../placement/placement.ts";
import type { WorkerDrains } from "../placement/worker-drains.ts";
import type { CallerQuota } from "../quotas/quota-check.ts";
import type { LegacyRegistration } from "../registry/legacy-registration.ts";
import type { Registry } from "../registry/registry.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { TypesBetween } from "../registry/types-between.ts";
import type { Peer } from "../sessions/peer.ts";
import type { SenderWaits } from "../sessions/sender-waits.ts";
import { HeartbeatAnswers } from "./heartbeat-answers.ts";
import { keepTypes, typesToGiveUp } from "./types-of-change.ts";

export interface RouterParts {
  readonly calls: CallRouter;
  readonly senders: SenderCheck;
  /** Calls that the host keeps. */
  readonly told: ToldCalls;
  readonly events: EventRouter;
  /** Events that the host keeps. */
  readonly durable: DurableEvents;
  readonly registration: LegacyRegistration;
  readonly registry: Registry;
  readonly owners: TypeOwners;
  readonly placement: Placement;
  readonly between: TypesBetween;
  readonly leaving: LeavingAgents;
  readonly drains: WorkerDrains;
  readonly joins: JoinsSeat;
  readonly others: OthersSeat;
  /** Messages that wait for their places, by their senders. */
  readonly senderWaits: SenderWaits;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
}

/** A notice about agents of shared types that workers send. */
type WorkersNotice = AskLeaveFrame | ReturnedFrame | LeftFrame | StayFrame | LeavingWorkerFrame;

/** Passes each frame of a data channel to the router for its kind. Never throws: no frame ends a stream. */
export class Router {
  readonly #parts: RouterParts;
  readonly #heartbeats: HeartbeatAnswers;

  constructor(parts: RouterParts) {
    this.#parts = parts;
    const { others, joins, senderWaits, clock } = parts;
    this.#heartbeats = new HeartbeatAnswers({
      ...{ others, senderWaits, clock },
      isMoving: (peer) => joins.now?.isMoving(peer) === true,
      leaseOf: (peer) => joins.now?.leaseOf(peer) ?? 0,
    });
  }

  receive(peer: Peer, bytes: Uint8Array): void {
    const { calls, told, events, durable, senders, registration, registry, counters, logger } = this.#parts;
    const frame = peekFrame(bytes);
    if (frame.kind === "request" || frame.kind === "event") {
      const refusal = peer.quota === undefined ? senders.whyNot(peer, frame) : this.#whyNot(peer, frame, peer.quota);
      if (refusal !== undefined) return this.#refuse(peer, frame, refusal);
    }
    switch (frame.kind) {
      case "request":
        return told.isKept(peer, frame) ? told.take(peer, frame) : calls.route(peer, frame);
      case "response":
        return calls.answer(peer, frame);
      case "event":
        if (durable.isKept(peer, frame)) durable.take(peer, frame);
        else events.route(peer, frame);
        return;
      case "cancel":
        return calls.ends.cancel(peer, frame);
      case "chunk": {
        const overuse = peer.quota?.whyNotMessages(1, bytes.length, { clientId: peer.id });
        return overuse === undefined ? calls.chunks.take(peer, frame) : calls.chunks.refuse(peer, frame, overuse);
      }
      case "credit":
        return calls.chunks.grant(peer, frame);
      case "register-type":
        return registration.registerType(peer, frame.requestId, frame.agentType);
      case "subscribe":
        return registration.subscribe(peer, frame.requestId, frame.pattern);
      case "leaving":
        // A peer that did not announce itself can't mean this notice.
        if (!peer.traits.isAnnounced) counters.emptyFrames += 1;
        else {
          this.#parts.joins.now?.noteLeaving(peer);
          keepTypes(peer, this.#parts);
          const kinds = typesToGiveUp(peer, this.#parts);
          calls.peerLeaving(peer, { types: registry.clientLeaving(peer.id), ...kinds });
        }
        return;
      case "stuck":
      case "unstuck":
        if (!peer.traits.capabilities.has("turns")) counters.emptyFrames += 1;
        else if (frame.kind === "stuck") calls.rings.report(peer, frame);
        else calls.rings.withdraw(peer, frame);
        return;
      case "heartbeat":
        return this.#answerHeartbeat(peer, frame);
      case "ask-leave":
      case "returned":
      case "left":
      case "stay":
      case "leaving-worker":
        if (peer.traits.capabilities.has("claims")) this.#receiveLeaving(peer, frame);
        else counters.emptyFrames += 1;
        return;
      case "holds":
      case "moving":
        if (!peer.traits.capabilities.has("lease")) counters.emptyFrames += 1;
        else if (frame.kind === "moving") this.#receiveMoving(peer);
        return;
      case "ack":
      case "leave":
      case "drain":
      case "void":
      case "hosts":
      case "last":
      case "empty":
        // Only hosts send these.
        counters.emptyFrames += 1;
        logger?.warn("a frame without a known content was ignored", { clientId: peer.id });
        return;
      case "bad":
        return this.receiveBad(peer, { reason: frame.reason, isOverload: false }, frame.head);
    }
  }

  // protocol.md §11.19
  /** The worker goes to another host, with its types: it gets nothing more here, and finishes what it has. */
  #receiveMoving(peer: Peer): void {
    const { calls, joins, others, registry } = this.#parts;
    joins.now?.noteMoving(peer);
    const { types } = registry.declaredBy(peer.id);
    others.now.workerMoving(peer, patternsOf(registry.subscriptionsOf(peer.id), types));
    others.now.workerEnded(peer);
    const kinds = typesToGiveUp(peer, this.#parts);
    calls.peerLeaving(peer, { types: registry.clientLeaving(peer.id), ...kinds });
    peer.send(encodeFrame({ kind: "last" }), "notice");
  }

  // protocol.md §2.5
  /** Asks the quota, then the rules: messages that the rules refuse count, too. */
  #whyNot(peer: Peer, message: PeekedRequest | PeekedEvent, quota: CallerQuota): CallFailure | undefined {
    const overuse = quota.whyNotMessages(1, message.bytes.length, { clientId: peer.id });
    return overuse === undefined ? this.#parts.senders.whyNot(peer, message) : callFailure.overQuota(overuse);
  }

  // protocol.md §2.1, §2.4, §2.5
  /** A worker may not send a message. An event is dropped; a durable one has an answer. */
  #refuse(peer: Peer, message: PeekedRequest | PeekedEvent, refusal: CallFailure): void {
    const { calls, durable } = this.#parts;
    if (message.kind === "request") calls.refuse(peer, message, refusal);
    else if (durable.isKept(peer, message)) durable.refuse(peer, message, refusal);
  }

  // protocol.md §11.17
  #receiveLeaving(peer: Peer, notice: WorkersNotice): void {
    const { calls, events, leaving, drains, counters } = this.#parts;
    switch (notice.kind) {
      case "ask-leave":
        return leaving.asked(peer, notice.agents, notice.reason);
      case "left":
        return leaving.left(peer, notice.agents);
      case "stay":
        return leaving.stayed(peer, notice.agents);
      case "leaving-worker":
        return drains.workerLeaves(peer, notice.graceMs);
      case "returned": {
        const message = peekFrame(notice.message);
        if (message.kind === "request") calls.shared.takeBack(peer, notice, message);
        else if (message.kind === "event") events.takeBack(peer, notice, message);
        else counters.unmatchedReturns += 1;
      }
    }
  }

  #answerHeartbeat(peer: Peer, frame: HeartbeatFrame): void {
    const { counters } = this.#parts;
    const { capabilities } = peer.traits;
    if (!capabilities.has("heartbeat") && !capabilities.has("lease")) {
      counters.emptyFrames += 1;
      return;
    }
    this.#heartbeats.answer(peer, frame);
  }

  /** Takes a frame that is incomplete or unreadable, and ends the call that it is part of. */
  receiveBad(peer: Peer, bad: BadFrame, head: FrameHead | undefined): void {
    const { calls, counters, logger } = this.#parts;
    counters.badFrames += 1;
    logger?.warn("a frame could not be read", { clientId: peer.id, reason: bad.reason });
    if (head !== undefined) calls.ends.giveUp(peer, head, bad);
  }
}

/** The patterns of a worker for its own types. */
function* patternsOf(
  subscriptions: Iterable<WireSubscription>,
  types: ReadonlySet<string>,
): Iterable<NonNullable<WireSubscription["pattern"]>> {
  for (const { pattern } of subscriptions) if (pattern !== undefined && types.has(pattern.agentType)) yield pattern;
}
