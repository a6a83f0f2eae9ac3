import {
  type AgentName,
  type CommitOutcome,
  eventCommit,
  eventRefused,
  isValidTopicType,
  type Logger,
  type Mail,
  type MakeId,
  type StateStore,
  storeLimits,
} from "../../core/internal.ts";
import {
  type DurableEvent,
  encodeFrame,
  encodeKeptEvent,
  type PeekedEvent,
  readDurableEvent,
  senderOf,
} from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import { type CallFailure, callFailure, failureAnswer } from "../calls/call-failures.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { EventRouter } from "../events/event-router.ts";
import type { EventSpreader, SpreadEvent, SpreadEvents } from "../events/spread-event.ts";
import type { HeldStore } from "../held-store.ts";
import { limits } from "../limits.ts";
import type { Peer } from "../sessions/peer.ts";
import type { DurableSubscriptions } from "./durable-subscriptions.ts";

export interface DurableEventsParts {
  readonly held: HeldStore;
  /** Undefined: this host keeps no mail. */
  readonly subscriptions: DurableSubscriptions | undefined;
  readonly events: EventRouter;
  /** Whether all events of a topic type are durable. Undefined: of none. */
  readonly isDurableTopic: ((topicType: string) => boolean) | undefined;
  /** Whether workers serve an agent type now. */
  readonly isServed: (agentType: string) => boolean;
  readonly makeId: MakeId;
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  readonly logger: Logger | undefined;
}

/** Memory of a message beside its bytes, while the store keeps it; its id and the marks of its delivery among it. */
const messageBytes = 1_500;

/** The agents that keep an event. */
interface Targets {
  readonly read: DurableEvent;
  /** The types with a durable subscription to its topic. */
  readonly types: readonly string[];
  /** The types of those that keep it: its publisher does not. */
  readonly receivers: readonly string[];
  /** Bytes of the messages for them, at most. */
  readonly bytes: number;
}

// protocol.md §11.18
/** Keeps durable events for the agents with a durable subscription, and answers their publishers when all of them are kept. */
export class DurableEvents implements EventSpreader {
  readonly #parts: DurableEventsParts;
  /** Events for many agents whose messages are being made, by their publishers. */
  readonly #long = new Map<Peer, Promise<unknown>>();
  #isDraining = false;

  constructor(parts: DurableEventsParts) {
    this.#parts = parts;
  }

  /** Whether the host keeps an event. Of a peer that does not know durable events the mark means nothing. */
  isKept({ traits }: Peer, { isDurable, topicType }: PeekedEvent): boolean {
    if (this.#parts.subscriptions === undefined) return false;
    return (isDurable && traits.capabilities.has("mail")) || this.#parts.isDurableTopic?.(topicType) === true;
  }

  /** Takes an event that is to be kept. */
  take(from: Peer, peeked: PeekedEvent): void {
    const read = this.#read(from, peeked);
    if (read === undefined) {
      // No worker can read it, nor can the host answer.
      this.#parts.counters.invalidEvents += 1;
      return;
    }
    const failure = this.#isDraining ? callFailure.shuttingDown() : whyNot(read);
    if (failure !== undefined) return this.#refuse(from, read, failure);
    if (this.#parts.subscriptions?.mayHaveAny !== true) {
      this.#parts.events.route(from, read.rest);
      return this.#answer(from, read);
    }
    const bytes = peeked.bytes.length + messageBytes;
    if (!from.account.take(bytes)) return this.#refuse(from, read, callFailure.noRoom(from.account.whyNot(bytes)));
    void this.#keep(from, read).finally(() => from.account.release(bytes));
  }

  /** Answers the publisher of an event that the host does not take. */
  refuse(from: Peer, peeked: PeekedEvent, failure: CallFailure): void {
    const read = this.#read(from, peeked);
    if (read !== undefined) this.#refuse(from, read, failure);
  }

  /** Refuses what comes from now on. */
  drain(): void {
    this.#isDraining = true;
  }

  /**
   * Finds the agents that keep the events of a commit. Rejects as the store does. Returns a failure if the messages for their mailboxes would
   * take too many bytes. It makes them only when the account has taken their bytes.
   */
  async spreadAll(from: Peer, events: readonly PeekedEvent[]): Promise<SpreadEvents | CallFailure> {
    await this.#parts.subscriptions?.ready();
    const targets: Targets[] = [];
    let bytes = 0;
    for (const peeked of events) {
      const read = this.#read(from, peeked);
      if (read === undefined) return callFailure.invalid("An event can't be read.");
      const failure = whyNot(read);
      if (failure !== undefined) return failure;
      const found = this.#targetsOf(read);
      bytes += found.bytes;
      if (bytes > limits.spreadBytes) return callFailure.noRoom(tooManyText);
      targets.push(found);
    }
    if (!from.account.take(bytes)) return callFailure.noRoom(from.account.whyNot(bytes));
    const spread: SpreadEvent[] = [];
    for (const found of targets) spread.push(await this.#spread(from, found));
    return { events: spread, bytes };
  }

  /** Sends the event of a commit that is written to those for whom it is not kept. Returns how many workers it was for. */
  routeRest(from: Peer, { mail, except, rest }: SpreadEvent): number {
    if (mail.length > 0) this.#parts.counters.keptEvents += 1;
    return this.#parts.events.routeRest(from, rest, except);
  }

  #read(from: Peer, peeked: PeekedEvent): DurableEvent | undefined {
    return readDurableEvent(peeked, peeked.isDurable && from.traits.capabilities.has("mail"));
  }

  /** Finds the agents that keep an event. Makes nothing for them. */
  #targetsOf(read: DurableEvent): Targets {
    const { event, rest } = read;
    const sender = senderOf(event);
    const types = this.#parts.subscriptions?.typesOf(event.topicType) ?? [];
    const receivers = types.filter((type) => sender?.type !== type || sender.key !== event.topicSource);
    // Each message has the bytes of the event, names the topic twice, and its agent. A character takes 3 bytes at most.
    const { topicType, topicSource } = event;
    const bytesOfEach = rest.bytes.length + 3 * (topicType.length + 2 * topicSource.length) + messageBytes;
    const bytes = receivers.reduce((sum, type) => sum + bytesOfEach + 3 * type.length, 0);
    return { read, types, receivers, bytes };
  }

  /** Makes the messages: many of them in batches, so that other work of the host gets its turn. */
  async #spread(from: Peer, { read, types, receivers }: Targets): Promise<SpreadEvent> {
    const { event, id = this.#parts.makeId(), rest } = read;
    const mail: Mail[] = [];
    const make = (type: string) => {
      const receiver: AgentName = { type, key: event.topicSource };
      // A subscription that no worker reads must not keep the event from others. Where a worker reads, its full mailbox slows its publishers.
      const whenFull = this.#parts.isServed(type) ? "refuse" : "bury";
      const frame = encodeKeptEvent(event, receiver, id);
      mail.push({ id, receiver, kind: "event", frame, isOnce: true, whenFull });
    };
    if (receivers.length <= limits.spreadAtOnce) for (const type of receivers) make(type);
    else {
      await new Promise<void>((resolve) => {
        this.#parts.batches.add(from, tasksOf(receivers, make, resolve), from.account.party);
      });
    }
    return { mail, except: new Set(types), rest };
  }

  /** As `#spread`. While it makes many messages, later events of the publisher wait. */
  async #spreadInOrder(from: Peer, targets: Targets): Promise<SpreadEvent> {
    const spreading = this.#spread(from, targets);
    if (targets.receivers.length > limits.spreadAtOnce) {
      const ended = spreading.then(nothing, nothing).then(() => {
        if (this.#long.get(from) === ended) this.#long.delete(from);
      });
      this.#long.set(from, ended);
    }
    return spreading;
  }

  async #keep(from: Peer, read: DurableEvent): Promise<void> {
    const { held, subscriptions } = this.#parts;
    let failure: CallFailure | undefined;
    let isAsked = false;
    let bytes = 0;
    try {
      await subscriptions?.ready();
      // An event behind one for many agents must not overtake it.
      for (let last = this.#long.get(from); last !== undefined; last = this.#long.get(from)) await last;
      const targets = this.#targetsOf(read);
      if (from.account.take(targets.bytes)) {
        bytes = targets.bytes;
        const spread = await this.#spreadInOrder(from, targets);
        isAsked = true;
        if (spread.mail.length > 0) failure = await this.#write(read, spread.mail);
        if (failure === undefined) this.routeRest(from, spread);
      } else failure = callFailure.noRoom(from.account.whyNot(targets.bytes));
    } catch (error) {
      const { code, text } = held.failed(
        error,
        "a durable event could not be kept",
        isAsked ? "unknown" : "unavailable",
      );
      failure = callFailure.notKept(text, code);
    } finally {
      from.account.release(bytes);
    }
    if (failure === undefined) this.#answer(from, read);
    else this.#refuse(from, read, failure);
  }

  /** Writes all messages together. A publisher that hears of no failure wants those kept that can be: then each is written alone. */
  async #write({ event, requestId }: DurableEvent, mail: readonly Mail[]): Promise<CallFailure | undefined> {
    const store = await this.#parts.held.open();
    const sender = senderOf(event);
    const outcome = await commit(store, sender, mail);
    if (outcome.at !== "refused") return undefined;
    if (requestId === undefined && mail.length > 1) {
      for (const one of mail) {
        const alone = await commit(store, sender, [one]);
        if (alone.at === "refused") this.#noteRefusal(event.topicType, alone.limit);
      }
      return undefined;
    }
    const { code, message } = eventRefused(`${event.topicType}/${event.topicSource}`, outcome);
    return callFailure.notKept(message, code);
  }

  #answer(from: Peer, { requestId }: DurableEvent): void {
    if (requestId === undefined) return;
    from.send(encodeFrame({ kind: "response", requestId, payload: undefined, error: "", metadata: {} }), "answer");
  }

  #refuse(from: Peer, { requestId, event }: DurableEvent, failure: CallFailure): void {
    this.#noteRefusal(event.topicType, failure.text);
    if (requestId !== undefined) from.send(failureAnswer(requestId, failure, true), "answer");
  }

  #noteRefusal(topicType: string, reason: string): void {
    const { counters, logger } = this.#parts;
    counters.refusedEvents += 1;
    logger?.warn("a durable event was not kept", { topicType, reason });
  }
}

function nothing(): void {}

function* tasksOf(types: readonly string[], make: (type: string) => void, done: () => void): Iterable<() => void> {
  for (const type of types) yield () => make(type);
  yield done;
}

const tooManyText = `The durable events of one commit take at most ${limits.spreadBytes} bytes in all mailboxes. Publish fewer of them in one turn.`;

async function commit(store: StateStore, sender: AgentName | undefined, mail: readonly Mail[]): Promise<CommitOutcome> {
  const [outcome] = await store.commit([eventCommit(sender, mail)]);
  if (outcome === undefined) throw new TypeError("The state store gave no outcome for a commit.");
  return outcome;
}

/** Says why no mailbox can take an event. */
function whyNot({ event: { topicType, topicSource } }: DurableEvent): CallFailure | undefined {
  if (!isValidTopicType(topicType)) return callFailure.notKept("The topic type is not valid.", "invalid-message");
  if (topicSource.length <= storeLimits.nameCharacters) return undefined;
  const text = `The source of a durable event has at most ${storeLimits.nameCharacters} characters.`;
  return callFailure.notKept(text, "invalid-message");
}
