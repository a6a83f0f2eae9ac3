import {
  type AgentId,
  type AgentRuntime,
  type Delivery,
  depthIn,
  type Epoch,
  HandlerContext,
  movedError,
  type TopicId,
  type TraceCarrier,
} from "../../core/internal.ts";
import type { ReturnReason, WireEvent } from "../../protocol/internal.ts";
import type { Claim } from "../claims/claim.ts";
import type { Claims } from "../claims/claims.ts";
import { sendBack } from "../claims/returning.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { HandlerSlot } from "./handler-slot.ts";
import type { Work } from "./in-flight.ts";

/** An event that the worker has read. */
export interface OpenedEvent {
  readonly message: unknown;
  readonly topicId: TopicId;
  readonly sender: AgentId | undefined;
  readonly wire: WireEvent;
  /** Bytes of the event as it came: its attributes may be longer than its message. */
  readonly byteLength: number;
  /** Undefined: the host names no recipients. */
  readonly placement: EventPlacement | undefined;
}

// protocol.md §11.17
/** Which agents of shared types an event is for, and what it needs to go back. */
export interface EventPlacement {
  readonly named: ReadonlyMap<string, Epoch>;
  /** Whether it is for these agents alone. The host takes back no such event that a handler has seen. */
  readonly isAlone: boolean;
  readonly outbox: Outbox;
  /** The event as it came. */
  readonly bytes: Uint8Array;
}

export interface IncomingEventOptions {
  readonly runtime: AgentRuntime;
  /** The host's word that the agent is here. Undefined: the agent's type is exclusive. */
  readonly claim: Claim | undefined;
  readonly counts: WorkerCounters;
  readonly claims: Claims;
  /** When the event came. Undefined: no lease is needed. */
  readonly arrivedMs: number | undefined;
}

/** Reasons of messages that no handler has begun. */
const unbegunReasons: ReadonlySet<ReturnReason> = new Set(["leaving", "no-lease", "too-old"]);

/** One event on its way to one agent. */
export class IncomingEvent implements Delivery, Work {
  readonly agentId: AgentId;
  readonly message: unknown;
  readonly context: HandlerContext;
  readonly wire: WireEvent;
  readonly byteLength: number;
  readonly claim: Claim | undefined;
  readonly isEvent = true;
  /** When it came, for its wait for a lease. */
  readonly arrivedMs: number | undefined;
  /** No turn waits for an event. */
  readonly isAwaited = false;
  readonly giveBack: Delivery["giveBack"];
  handlerSlot: HandlerSlot | undefined;
  workSlot = 0;
  /** Removes the event from the parked ones; set while it is parked. */
  onGivenUp: (() => void) | undefined;
  /** Whether the event is on its way to another worker, or was dropped because it could not go back. */
  isGivenBack = false;
  readonly #placement: EventPlacement | undefined;
  readonly #options: IncomingEventOptions;

  constructor(agentId: AgentId, opened: OpenedEvent, options: IncomingEventOptions) {
    const { message, topicId, sender, wire, byteLength, placement } = opened;
    const { runtime, claim, arrivedMs } = options;
    this.agentId = agentId;
    this.message = message;
    this.claim = claim;
    this.giveBack = claim && ((reason) => this.goBack(reason));
    this.arrivedMs = arrivedMs;
    this.#placement = placement;
    this.#options = options;
    this.context = new HandlerContext({
      ...{ sender, topicId, agentId, runtime },
      isRpc: isRpcTopic(topicId.type),
      messageId: wire.id,
      sentMetadata: wire.attributes,
      depth: depthIn(wire.attributes),
    });
    this.wire = wire;
    this.byteLength = byteLength;
  }

  get link(): TraceCarrier {
    return this.wire.attributes;
  }

  get mayGoBack(): boolean {
    return !this.context.isAtAgent || this.context.isWaiting;
  }

  leavesBy(outbox: Outbox): boolean {
    return this.claim !== undefined && this.#placement?.outbox === outbox;
  }

  // protocol.md §11.17 L5
  /** Gives the event back to the host. Returns false if it stays, because its handler ran or could not run, and the host does not take it. */
  goBack(reason: ReturnReason): boolean {
    const { claim } = this;
    if (this.isGivenBack || claim === undefined) return true;
    const isParked = this.onGivenUp !== undefined;
    const isUnbegun = unbegunReasons.has(reason);
    const asLeaving = isUnbegun || isParked;
    if (this.#placement?.isAlone === true && !asLeaving) return false;
    this.isGivenBack = true;
    if (!this.#sendBack(this.#placement?.isAlone === true && !isUnbegun ? "leaving" : reason, claim))
      this.#options.counts.droppedEvents += 1;
    this.abandon(movedError(this.agentId));
    // No handler will release it.
    if (isParked) this.context.release();
    return true;
  }

  // protocol.md §11.19 E7
  drop(): void {
    if (this.isGivenBack) return;
    const isParked = this.onGivenUp !== undefined;
    this.isGivenBack = true;
    this.abandon(movedError(this.agentId));
    if (isParked) this.context.release();
  }

  abandon(reason: Error): void {
    this.onGivenUp?.();
    this.context.abort(reason);
  }

  #sendBack(reason: ReturnReason, claim: Claim): boolean {
    if (this.#placement === undefined) return false;
    const { outbox, bytes } = this.#placement;
    return sendBack(this.#options.claims, outbox, { claim, reason, bytes });
  }
}

/** Whether the part after the first `:` of a topic type asks for an answer. `rpc` handlers take such events; the worker sends no answer. */
// protocol.md §3.4
export function isRpcTopic(topicType: string): boolean {
  const colon = topicType.indexOf(":");
  if (colon < 0) return false;
  const suffix = topicType.slice(colon + 1);
  return suffix === "rpc_request" || suffix.startsWith("rpc_request=");
}
