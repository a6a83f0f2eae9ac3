import type { MakeId } from "../../core/internal.ts";
import { encodeFrame, metadataKey, peekFrame, type ResponseFrame, type WireEvent } from "../../protocol/internal.ts";
import type { MemoryAccountant } from "../../transport/internal.ts";
import { type CallFailure, callFailure } from "../calls/call-failures.ts";
import type { EventRouter } from "../events/event-router.ts";
import type { DurableEvents } from "../mail/durable-events.ts";
import {
  OutsideSender,
  type OutsideSenderParts,
  type Publisher,
  type SenderBounds,
  whyNotFrom,
} from "./outside-sender.ts";

export interface EventPublishingParts extends SenderBounds {
  readonly events: Pick<EventRouter, "route">;
  readonly durable: Pick<DurableEvents, "isKept" | "take">;
  /** Opens the account of one event. */
  readonly accountant: Pick<MemoryAccountant, "openAccount">;
  readonly makeId: MakeId;
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
    const kept = new KeptEvent(publisher, { accountant, id: makeId() });
    try {
      return await this.#publish(kept, { publisher, event, isDurable, idempotencyKey, signal });
    } finally {
      kept.left();
    }
  }

  async #publish(
    kept: KeptEvent,
    { publisher, event, isDurable, idempotencyKey, signal }: Publishing,
  ): Promise<PublishOutcome> {
    const { events, durable, access, quotas } = this.#parts;
    const { sender: from } = kept;
    const plain = encoded(event, {});
    const quota = quotas?.of(publisher.principal, publisher.party);
    const sending = { action: "publish", resource: event.topicType, bytes: plain.bytes.length } as const;
    const refusal = whyNotFrom(publisher, { clientId: from.id, quota, access }, sending);
    quota?.settle();
    if (refusal !== undefined) return refused(refusal);
    const isKept = durable.isKept(from, isDurable ? { ...plain, isDurable: true } : plain);
    if (isDurable && !isKept) return refused(callFailure.notKept(noMailText, "state-unavailable"));
    if (!isKept) return { at: "routed", workers: events.route(from, plain) };
    const key = idempotencyKey === undefined ? {} : { [metadataKey.idempotency]: idempotencyKey };
    const marked = { [metadataKey.request]: "1", [metadataKey.delivery]: "durable", ...key };
    const answered = kept.answered(signal);
    durable.take(from, encoded(event, marked));
    return answered;
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

/** Settles the answer to a durable event, while the host works on it. */
class KeptEvent {
  readonly sender: OutsideSender;
  #settle: (outcome: PublishOutcome) => void = () => undefined;
  readonly #outcome = new Promise<PublishOutcome>((resolve) => {
    this.#settle = resolve;
  });
  /** Whether the host works on its event still, though the client may have gone. */
  #isAsking = false;

  constructor(publisher: Publisher, parts: Pick<OutsideSenderParts, "accountant" | "id">) {
    this.sender = new OutsideSender(publisher, {
      ...{ ...parts, name: "event over HTTP" },
      traits: { capabilities: new Set(["mail"]), maxFrameBytes: Number.POSITIVE_INFINITY },
      onAnswer: (answer) => this.#answered(answer),
    });
  }

  /** Ends the sender, unless the host works on the event still. */
  left(): void {
    if (!this.#isAsking) this.sender.close();
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

  #answered({ error, metadata }: ResponseFrame): "queued" {
    const { [metadataKey.errorCode]: code = "handler-failed", [metadataKey.retryMs]: retryMs } = metadata;
    const waitMs = retryMs === undefined ? undefined : Number(retryMs);
    this.#isAsking = false;
    this.sender.close();
    this.#settle(error === "" ? { at: "kept" } : { at: "refused", code, text: error, retryMs: waitMs });
    return "queued";
  }
}
