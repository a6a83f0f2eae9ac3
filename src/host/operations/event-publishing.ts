import type { MakeId } from "../../core/internal.ts";
import {
  decodeFrame,
  encodeFrame,
  type FrameBytes,
  joinFrame,
  metadataKey,
  peekFrame,
  type WireEvent,
  type WorkerIdentity,
} from "../../protocol/internal.ts";
import type { MemoryAccount, MemoryAccountant } from "../../transport/internal.ts";
import type { AccessCheck } from "../access/access-check.ts";
import { type CallFailure, callFailure } from "../calls/call-failures.ts";
import type { EventRouter } from "../events/event-router.ts";
import type { DurableEvents } from "../mail/durable-events.ts";
import type { Principal } from "../principal.ts";
import type { QuotaCheck } from "../quotas/quota-check.ts";
import type { Peer, PeerTraits, SendOutcome } from "../sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../sessions/pending-call.ts";

export interface EventPublishingParts {
  readonly events: Pick<EventRouter, "route">;
  readonly durable: Pick<DurableEvents, "isKept" | "take">;
  /** Undefined: the host has no rules, no quotas. */
  readonly access: AccessCheck | undefined;
  readonly quotas: QuotaCheck | undefined;
  /** Opens the account of one event. */
  readonly accountant: Pick<MemoryAccountant, "openAccount">;
  readonly makeId: MakeId;
}

/** A publisher that is not a worker. */
export interface Publisher {
  /** Undefined: the operator of this machine, whom no rule holds. */
  readonly principal: Principal | undefined;
  readonly address: string;
  /** The party of its address, for quotas. */
  readonly party: string;
}

/** An event from a publisher that is not a worker. It names no agent as its sender. */
export type PublishedEvent = Omit<WireEvent, "sender">;

/** The outcome of an event. `kept`: it is in all mailboxes that it is for. `routed`: to so many workers. */
export type PublishOutcome =
  | { readonly at: "kept" }
  | { readonly at: "routed"; readonly workers: number }
  | { readonly at: "refused"; readonly code: string; readonly text: string; readonly retryMs: number | undefined };

/** One event, and how it is to be published. */
interface Publishing {
  readonly publisher: Publisher;
  readonly event: PublishedEvent;
  readonly isDurable: boolean;
  readonly idempotencyKey: string | undefined;
  readonly signal: AbortSignal;
}

/** Takes events from publishers that are no workers, under the rules and quotas of all publishers. */
export class EventPublishing {
  readonly #parts: EventPublishingParts;

  constructor(parts: EventPublishingParts) {
    this.#parts = parts;
  }

  /** Publishes an event. `isDurable`: resolves when it is kept. Rejects with the reason of `signal`. */
  async publish(
    publisher: Publisher,
    event: PublishedEvent,
    { isDurable, idempotencyKey, signal }: Omit<Publishing, "publisher" | "event">,
  ): Promise<PublishOutcome> {
    const { accountant, makeId } = this.#parts;
    const from = new OutsidePublisher(publisher, { accountant, id: makeId() });
    try {
      return await this.#publish(from, { publisher, event, isDurable, idempotencyKey, signal });
    } finally {
      from.left();
    }
  }

  async #publish(
    from: OutsidePublisher,
    { publisher, event, isDurable, idempotencyKey, signal }: Publishing,
  ): Promise<PublishOutcome> {
    const { events, durable } = this.#parts;
    const plain = encoded(event, {});
    const refusal = this.#whyNot(publisher, from, { topicType: event.topicType, bytes: plain.bytes.length });
    if (refusal !== undefined) return refused(refusal);
    const isKept = durable.isKept(from, isDurable ? { ...plain, isDurable: true } : plain);
    if (isDurable && !isKept) return refused(callFailure.notKept(noMailText, "state-unavailable"));
    if (!isKept) return { at: "routed", workers: events.route(from, plain) };
    const key = idempotencyKey === undefined ? {} : { [metadataKey.idempotency]: idempotencyKey };
    const marked = { [metadataKey.request]: "1", [metadataKey.delivery]: "durable", ...key };
    const answered = from.answered(signal);
    durable.take(from, encoded(event, marked));
    return answered;
  }

  #whyNot(
    { principal, address, party }: Publisher,
    { id: clientId }: Peer,
    { topicType, bytes }: { readonly topicType: string; readonly bytes: number },
  ): CallFailure | undefined {
    const { access, quotas } = this.#parts;
    const quota = quotas?.of(principal, party);
    const overuse = quota?.whyNotMessages(1, bytes, { clientId });
    quota?.settle();
    if (overuse !== undefined) return callFailure.overQuota(overuse);
    if (principal === undefined) return undefined;
    const text = access?.whyNot({ clientId, principal, address }, { action: "publish", resource: topicType });
    return text === undefined ? undefined : callFailure.denied(text);
  }
}

const noMailText = "This host keeps no durable events: its state store has no mailboxes.";

function refused({ code, text, retryMs }: CallFailure): PublishOutcome {
  return { at: "refused", code, text, retryMs };
}

function encoded(event: PublishedEvent, marks: Readonly<Record<string, string>>) {
  const attributes = { ...event.attributes, ...marks };
  const peeked = peekFrame(encodeFrame({ kind: "event", event: { ...event, sender: undefined, attributes } }));
  if (peeked.kind !== "event") throw new TypeError("An event could not be encoded.");
  return peeked;
}

/** The publisher of one event. It has no channel: the answer to a durable event comes back in this process. */
class OutsidePublisher implements Peer {
  readonly id: string;
  readonly traits: PeerTraits = {
    ...{ takesJsonEvents: true, maxFrameBytes: Number.POSITIVE_INFINITY, isAnnounced: true },
    ...{ capabilities: new Set(["mail"]), reconnectGraceMs: 0 },
  };
  readonly worker: WorkerIdentity;
  readonly dotnet = undefined;
  readonly isOpen = true;
  readonly principal: string | undefined;
  readonly account: MemoryAccount;
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  #settle: (outcome: PublishOutcome) => void = () => undefined;
  readonly #outcome = new Promise<PublishOutcome>((resolve) => {
    this.#settle = resolve;
  });
  /** Whether the host works on its event still, though the client may have gone. */
  #isAsking = false;

  constructor(
    { principal, party }: Publisher,
    { accountant, id }: Pick<EventPublishingParts, "accountant"> & { readonly id: string },
  ) {
    // No metadata of a client can carry an arrow.
    this.id = `http → ${id}`;
    this.worker = { id: this.id, name: this.id, version: undefined, labels: {} };
    this.principal = principal?.name;
    this.account = accountant.openAccount({
      // What the operator of this machine has the host keep takes nothing from the workers on it.
      ...{ party: principal === undefined ? "the host" : party, name: "event over HTTP" },
      // The host can't let go of an event that it gives to its store.
      giveWay: undefined,
    });
  }

  /** Ends the account, unless the host works on the event still. */
  left(): void {
    if (!this.#isAsking) this.account.close();
  }

  /** Resolves to the answer. Rejects with the reason of `signal`: whether the event is kept is not known then. */
  answered(signal: AbortSignal): Promise<PublishOutcome> {
    this.#isAsking = true;
    return new Promise((resolve, reject) => {
      const left = (): void => reject(signal.reason);
      signal.addEventListener("abort", left, { once: true });
      void this.#outcome.then((outcome) => {
        signal.removeEventListener("abort", left);
        resolve(outcome);
      });
    });
  }

  send(bytes: FrameBytes): SendOutcome {
    const frame = decodeFrame(joinFrame(bytes));
    if (frame.kind !== "response") return "queued";
    const { [metadataKey.errorCode]: code = "handler-failed", [metadataKey.retryMs]: retryMs } = frame.metadata;
    const waitMs = retryMs === undefined ? undefined : Number(retryMs);
    if (frame.error === "") this.#answer({ at: "kept" });
    else this.#answer({ at: "refused", code, text: frame.error, retryMs: waitMs });
    return "queued";
  }

  #answer(outcome: PublishOutcome): void {
    this.#isAsking = false;
    this.account.close();
    this.#settle(outcome);
  }

  notify(): SendOutcome {
    return "queued";
  }
}
