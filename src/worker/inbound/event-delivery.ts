import { createHash } from "node:crypto";
import {
  type AgentCatalog,
  type AgentId,
  type CodecRegistry,
  type DeliveryOwner,
  type Dispatcher,
  errorText,
  isLeaseMissed,
  loggableError,
  loggableText,
  type SubscriptionTable,
  type TopicId,
  TroupeError,
} from "../../core/internal.ts";
import {
  fromWireAgentId,
  fromWireSender,
  fromWireTopic,
  isForRecipientsAlone,
  recipientsIn,
  typesAlone,
  type WireEvent,
} from "../../protocol/internal.ts";
import type { Claims } from "../claims/claims.ts";
import type { Outbox } from "../connection/outbox.ts";
import type { LeasedTurns } from "../lease/leased-turns.ts";
import { deliverInLoadContext } from "../load-context.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { ConcurrencyLimiter } from "./concurrency-limiter.ts";
import { HandlerSlot } from "./handler-slot.ts";
import type { InFlight } from "./in-flight.ts";
import { type EventPlacement, IncomingEvent, type OpenedEvent } from "./incoming-event.ts";

export interface EventDeliveryOptions {
  readonly settings: Pick<WorkerSettings, "exposeUnknownSender" | "logger" | "rememberedEvents">;
  readonly subscriptions: SubscriptionTable;
  readonly registry: CodecRegistry;
  readonly catalog: AgentCatalog;
  readonly dispatcher: Dispatcher;
  readonly work: InFlight;
  readonly slots: ConcurrencyLimiter;
  readonly counts: WorkerCounters;
  readonly claims: Claims;
  /** The lease under which handlers begin. */
  readonly lease: LeasedTurns;
  /** Agent types that are registered here and that another worker serves by now; it gets their events. */
  readonly elsewhere: ReadonlySet<string>;
}

/** The host that an event comes from. */
export interface EventSource {
  /** The way back. */
  readonly outbox?: Outbox | undefined;
  readonly isDotnetGateway: boolean;
  /** Whether it names the agents of shared types that an event is for. */
  readonly tellsRecipients: boolean;
}

const anyHost: EventSource = { isDotnetGateway: false, tellsRecipients: false };
const noBytes = new Uint8Array(0);

/** Delivers events to the agents of this worker's own subscriptions. Each agent gets an event once; the sender does not get it. */
// protocol.md §3.3, W11, W12
export class EventDelivery {
  readonly #options: EventDeliveryOptions;
  /** Made for the first event that it remembers. */
  #recent: RecentIds | undefined;
  readonly #owner: DeliveryOwner<IncomingEvent>;

  constructor(options: EventDeliveryOptions) {
    this.#options = options;
    this.#owner = {
      spanDetails: ({ agentId: destination, link, wire }) => {
        return { destination, link, messageType: wire.payload.typeName };
      },
      answered: (event) => this.#end(event),
      failed: (event) => {
        if (event.isGivenBack) return this.#end(event);
        options.counts.failedEventHandlers += 1;
        this.#end(event);
      },
      refused: (event, error) => {
        if (event.isGivenBack) return this.#end(event);
        const isOverload = error instanceof TroupeError && error.code === "overloaded";
        if (isOverload || isLeaseMissed(error)) options.counts.droppedEvents += 1;
        else options.counts.eventsAfterStop += 1;
        this.#end(event);
      },
    };
  }

  /**
   * Delivers an event to its agents. Counts, logs and drops an event that it cannot read. Gives it back for agents of shared types that
   * leave. `bytes`: the event as it came. Never throws.
   */
  deliver(wire: WireEvent, from: EventSource = anyHost, bytes: Uint8Array = noBytes): void {
    const { subscriptions, elsewhere, registry, counts, settings, catalog } = this.#options;
    const isFromGateway = from.isDotnetGateway;
    if (isFromGateway && wire.topicType === "" && wire.topicSource === "") return this.#passOverReplay(wire);
    let recipients: readonly AgentId[];
    let event: OpenedEvent;
    try {
      const topicId = fromWireTopic(wire.topicType, wire.topicSource);
      const sender = this.#sender(wire);
      recipients = subscriptions.recipients(topicId);
      if (elsewhere.size > 0) recipients = recipients.filter(({ type }) => !elsewhere.has(type));
      if (recipients.length === 0) {
        this.passBy(wire, from);
        return this.#passOverUnrouted(topicId);
      }
      recipients = recipients.filter((id) => !id.equals(sender));
      const isPlaced = from.tellsRecipients && (catalog.hasShared || isForRecipientsAlone(wire.attributes));
      const placement = isPlaced ? this.#placementOf(wire, from, bytes) : undefined;
      if (placement !== undefined) recipients = this.#named(recipients, placement, wire);
      if (recipients.length === 0) return;
      // An event without an id never counts as a duplicate. The host may send one again that was given back.
      if (wire.id !== "" && !namesAgents(placement) && this.#isRepeated(wire.id, isFromGateway)) {
        counts.duplicateEvents += 1;
        return;
      }
      const { typeName, contentType, data } = wire.payload;
      const message = registry.decode(typeName, contentType, data);
      event = { message, topicId, sender, wire, byteLength: bytes.length, placement };
    } catch (error) {
      counts.unreadableEvents += 1;
      this.passBy(wire, from);
      const name = `${wire.payload.typeName} on ${wire.topicType}/${wire.topicSource}`;
      const text = `An event (${loggableText(name)}) was dropped: ${loggableText(errorText(error))}`;
      settings.logger.warn(text, { error: loggableError(error) }, "An event was dropped");
      return;
    }
    for (const recipient of recipients) this.#take(recipient, event);
  }

  // protocol.md §11.17
  /** The event reaches none of its agents of shared types: the host must not think that the worker has them. */
  passBy({ attributes, topicSource: key }: WireEvent, { tellsRecipients, outbox }: EventSource): void {
    const { catalog, claims } = this.#options;
    if (!tellsRecipients || !catalog.hasShared || outbox === undefined) return;
    for (const [type, epoch] of recipientsIn(attributes)) {
      if (catalog.sharingOf(type) !== undefined && key !== "") claims.passedBy({ type, key }, epoch, outbox);
    }
  }

  #placementOf({ attributes }: WireEvent, { outbox }: EventSource, bytes: Uint8Array): EventPlacement | undefined {
    if (outbox === undefined) return undefined;
    return { named: recipientsIn(attributes), isAlone: isForRecipientsAlone(attributes), outbox, bytes };
  }

  // protocol.md §11.14
  /** Of shared types, an event is for those agents alone that the host names: others are in other workers. */
  #named(
    recipients: readonly AgentId[],
    { named, isAlone }: EventPlacement,
    { attributes }: WireEvent,
  ): readonly AgentId[] {
    const { catalog } = this.#options;
    if (isAlone) {
      const only = typesAlone(attributes);
      return recipients.filter(({ type }) => only.has(type));
    }
    return recipients.filter(({ type }) => catalog.sharingOf(type) === undefined || named.has(type));
  }

  // protocol.md §7
  /** .NET's gateway sends an event once for each agent type of the worker that matches, and once more when a worker subscribes. */
  #isRepeated(id: string, isFromGateway: boolean): boolean {
    const remembered = this.#options.settings.rememberedEvents ?? (isFromGateway ? gatewayMemory : 0);
    if (remembered === 0) return false;
    this.#recent ??= new RecentIds(remembered);
    return this.#recent.see(id);
  }

  /** An event that .NET's gateway sends again has lost topic and content, so that no agent can get it. */
  #passOverReplay({ id }: WireEvent): void {
    const { counts, settings } = this.#options;
    counts.unreadableEvents += 1;
    counts.emptyReplays += 1;
    settings.logger.debug("The gateway sent an event again without its topic. It was passed over.", {
      id: loggableText(id),
    });
  }

  /** No agent type of this worker subscribes to the topic any more, or another worker serves the type by now. */
  #passOverUnrouted(topicId: TopicId): void {
    const { counts, settings } = this.#options;
    counts.unroutedEvents += 1;
    const kind = "An event came that no agent of this worker gets";
    settings.logger.debug(`${kind}: it is on ${loggableText(topicId.toString())}.`, undefined, kind);
  }

  #sender(wire: WireEvent): AgentId | undefined {
    if (!this.#options.settings.exposeUnknownSender) return fromWireSender(wire.sender);
    return wire.sender === undefined ? undefined : fromWireAgentId(wire.sender);
  }

  /** Delivers to one agent when a slot is free for its handler. */
  #take(recipient: AgentId, opened: OpenedEvent): void {
    const { slots, work, catalog, claims, counts, lease } = this.#options;
    const { placement } = opened;
    const epoch = placement?.named.get(recipient.type);
    const isPlaced = placement !== undefined && epoch !== undefined && catalog.sharingOf(recipient.type) !== undefined;
    const admission = isPlaced ? claims.admit(recipient, epoch, { from: placement.outbox }) : undefined;
    const claim = admission && admission.at !== "refused" ? admission.claim : undefined;
    const { runtime } = catalog;
    const { arrivedMs } = lease;
    const event = new IncomingEvent(recipient, opened, { runtime, claim, counts, claims, arrivedMs });
    if (admission?.at === "returned") return void event.goBack(admission.claim.returns);
    work.add(event);
    if (slots.hasFree) this.#run(event);
    else this.#park(event);
  }

  #park(event: IncomingEvent): void {
    const { slots, work, counts } = this.#options;
    const parked = {
      bytes: event.byteLength,
      run: () => {
        event.onGivenUp = undefined;
        this.#run(event);
      },
    };
    event.onGivenUp = () => {
      slots.withdraw(parked);
      work.delete(event);
      if (!event.isGivenBack) counts.eventsAfterStop += 1;
    };
    slots.park(parked);
  }

  #run(event: IncomingEvent): void {
    const { slots, dispatcher, catalog } = this.#options;
    slots.begin();
    if (catalog.turnsOf(event.agentId.type) !== undefined) {
      event.handlerSlot = new HandlerSlot(slots, event.byteLength, false);
    }
    void deliverInLoadContext(dispatcher, event, this.#owner);
  }

  /** The slot of a handler that a stop has given up is free already. */
  #end(event: IncomingEvent): void {
    if (!this.#options.work.delete(event)) return;
    if (event.handlerSlot === undefined) this.#options.slots.end();
    else event.handlerSlot.end();
  }
}

/** Whether the host names agents that an event is for: it may send the same event once more, for others. */
function namesAgents(placement: EventPlacement | undefined): boolean {
  return placement !== undefined && (placement.isAlone || placement.named.size > 0);
}

/** Ids that a worker remembers of .NET's gateway, unless the option `rememberedEvents` says otherwise. */
const gatewayMemory = 1_000;
/** A longer id is remembered by its hash, in characters. */
const longestId = 128;

/** Remembers the last ids, up to a number. Beyond it, it forgets the id that did not come for the longest time. */
export class RecentIds {
  readonly #ids = new Set<string>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Returns whether the id is known, and makes it the latest. */
  see(given: string): boolean {
    const id = given.length <= longestId ? given : createHash("sha256").update(given).digest("base64");
    const isKnown = this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size > this.#capacity) {
      const [oldest] = this.#ids;
      if (oldest !== undefined) this.#ids.delete(oldest);
    }
    return isKnown;
  }
}
