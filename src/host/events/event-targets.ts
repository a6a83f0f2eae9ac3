import { Buffer } from "node:buffer";
import type { Logger } from "../../core/internal.ts";
import { type FrameBytes, type PeekedEvent, spliceRecipients, withoutDepth } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { Placement } from "../placement/placement.ts";
import type { EventTrace } from "../sessions/message-traces.ts";
import type { Peer } from "../sessions/peer.ts";
import { DotnetEvents } from "./dotnet-events.ts";
import type { NamedWorker } from "./event-fans.ts";
import { bytesOf, onlyThese, type Recipients } from "./recipients.ts";

export interface EventTargetsParts {
  readonly counters: MutableHostCounters;
  readonly placement: Pick<Placement, "channelsOf">;
  readonly logger: Logger | undefined;
}

/** The peers that get the event that the router works on. Each has the names of the agents that it is for, and a frame. */
export class EventTargets {
  readonly #parts: EventTargetsParts;
  /** The peers that get the event that the router works on. */
  readonly #peers: Peer[] = [];
  /** How many of them, the first, get it for their exclusive types. */
  #exclusiveCount = 0;
  /** The agents of shared types that the event is for, for each peer that is to be told. */
  readonly #recipients = new Map<Peer, Recipients>();
  readonly #dotnetEvents = new DotnetEvents();
  /** The trace of the event that is routed now. Undefined: it is not traced. */
  trace: EventTrace | undefined;
  /** An event as workers get it that know no paths. */
  #bare: { readonly of: PeekedEvent; readonly event: PeekedEvent } | undefined;
  #number = 0;

  constructor(parts: EventTargetsParts) {
    this.#parts = parts;
  }

  get peers(): readonly Peer[] {
    return this.#peers;
  }

  /** The next event has peers of its own. */
  begin(): void {
    this.#number += 1;
  }

  /** Adds a peer, once: it remembers the last event that it was found for. */
  add(peer: Peer): void {
    if (peer.lastEvent === this.#number) return;
    peer.lastEvent = this.#number;
    this.#peers.push(peer);
  }

  /** All peers so far get the event for their exclusive types. */
  endExclusive(): void {
    this.#exclusiveCount = this.#peers.length;
  }

  /** Names an agent for its worker. False: the names of this event for the worker are as long as they may be. */
  name(peer: Peer, recipient: string): boolean {
    const named = this.#recipients.get(peer);
    if (named === undefined) {
      this.#recipients.set(peer, { known: undefined, text: recipient });
      return true;
    }
    const length = (named.known === undefined ? 0 : named.known.length + 1) + named.text.length;
    if (length + 1 + recipient.length > limits.recipientChars) return false;
    named.text = named.text === "" ? recipient : `${named.text},${recipient}`;
    return true;
  }

  /** Adds a worker with the names of its agents as bytes. */
  addNamed({ peer, names }: NamedWorker): void {
    this.#recipients.set(peer, { known: names, text: "" });
    this.add(peer);
  }

  /** The workers that the event names agents to, with their names as bytes. */
  namedWorkers(): readonly NamedWorker[] {
    return Array.from(this.#recipients, ([peer, recipients]) => {
      const names = bytesOf(recipients);
      this.#recipients.set(peer, { known: names, text: "" });
      return { peer, names };
    });
  }

  /** The names of the agents of a worker that the event is for. */
  namesOf(target: Peer): readonly string[] {
    const named = this.#recipients.get(target);
    return named === undefined ? [] : Buffer.from(bytesOf(named)).toString().split(",");
  }

  /** The event's own bytes, or with the names of the worker's agents that it is for. */
  frameFor(event: PeekedEvent, target: Peer): FrameBytes {
    const named = this.#recipients.size > 0 ? this.#recipients.get(target) : undefined;
    if (named === undefined) return event.bytes;
    const names = bytesOf(named);
    return spliceRecipients(event, this.#hasExclusiveElsewhere(target) ? Buffer.concat([onlyThese, names]) : names);
  }

  // protocol.md §11.13
  /** The event for one of its workers. It is changed once, however many workers know no paths. */
  shownTo(target: Peer, event: PeekedEvent): PeekedEvent {
    if (knowsDepths(target)) return event;
    if (this.#bare?.of !== event) this.#bare = { of: event, event: withoutDepth(event) };
    return this.#bare.event;
  }

  /** Sends one event to one peer. */
  deliver(event: PeekedEvent, target: Peer, frame: FrameBytes): void {
    const { counters, logger } = this.#parts;
    if (!target.traits.takesJsonEvents && !this.#dotnetEvents.canRead(event)) {
      counters.filteredEvents += 1;
      return;
    }
    switch (target.send(frame, "event")) {
      case "queued":
        counters.deliveredEvents += 1;
        this.trace?.sent(target);
        return;
      case "full":
        counters.droppedEvents += 1;
        return;
      case "closed":
        counters.skippedEvents += 1;
        return;
      case "too-large":
        counters.filteredEvents += 1;
        logger?.warn("an event was kept from a worker: it is larger than the worker can receive", {
          topicType: event.topicType,
          bytes: event.bytes.length,
          clientId: target.id,
        });
        return;
    }
  }

  /** The event has no peers any more. */
  clear(): void {
    this.#peers.length = 0;
    this.#bare = undefined;
    if (this.#recipients.size > 0) this.#recipients.clear();
  }

  // protocol.md §11.14
  /** Whether another channel of this worker, which changes its connection, gets the event for the worker's exclusive types. */
  #hasExclusiveElsewhere(target: Peer): boolean {
    const channels = this.#parts.placement.channelsOf(target);
    if (channels.length < 2) return false;
    const exclusive = this.#peers.slice(0, this.#exclusiveCount);
    return !exclusive.includes(target) && exclusive.some((one) => channels.includes(one));
  }
}

export function knowsDepths({ traits }: Peer): boolean {
  return traits.capabilities.has("turns");
}
