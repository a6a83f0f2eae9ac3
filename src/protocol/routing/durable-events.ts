import { isIdempotencyKey } from "../../core/internal.ts";
import type { WireAgentId, WireEvent, WireMetadata } from "../frames/frame.ts";
import { decodeFrame, encodeFrame } from "../frames/frame-codec.ts";
import { attribute, metadataKey, unknownSender } from "../wire-names.ts";
import { peekFrame } from "./frame-peek.ts";
import type { PeekedEvent } from "./peeked-frame.ts";

// protocol.md §11.18
/** An event that a host keeps for the agents with a durable subscription. */
export interface DurableEvent {
  /** Under which the publisher waits for an answer. Undefined: it does not. */
  readonly requestId: string | undefined;
  /** Names the event for the mailboxes. Undefined: the publisher names none. */
  readonly id: string | undefined;
  readonly event: WireEvent;
  /** The event for those that get it as any other: without the marks. */
  readonly rest: PeekedEvent;
}

/** Attributes that only the publisher's host reads. */
const markKeys: readonly string[] = [metadataKey.request, metadataKey.delivery, metadataKey.idempotency];

/** Reads an event that is to be kept. `isMarked`: its publisher knows the marks. Undefined: no worker could read it. */
export function readDurableEvent(peeked: PeekedEvent, isMarked: boolean): DurableEvent | undefined {
  try {
    const frame = decodeFrame(peeked.bytes);
    if (frame.kind !== "event") return undefined;
    const { event } = frame;
    if (!isMarked) return { requestId: undefined, id: undefined, event, rest: peeked };
    const { [metadataKey.request]: requestId, [metadataKey.idempotency]: id } = event.attributes;
    const bare = { ...event, attributes: without(event.attributes, markKeys) };
    const rest = peekFrame(encodeFrame({ kind: "event", event: bare }));
    if (rest.kind !== "event") return undefined;
    return { requestId, id: isIdempotencyKey(id) ? id : undefined, event: bare, rest };
  } catch {
    return undefined;
  }
}

/**
 * Encodes a durable event for the mailbox of one agent: a call that names its topic. It has the user's metadata and the depth of the event.
 */
export function encodeKeptEvent(event: WireEvent, target: WireAgentId, id: string): Uint8Array {
  const { topicType, topicSource, payload, attributes } = event;
  const marks = {
    [metadataKey.delivery]: "durable",
    [metadataKey.idempotency]: id,
    [metadataKey.topic]: `${topicType}/${topicSource}`,
  };
  const metadata = { ...without(attributes, [attribute.recipients]), ...marks };
  return encodeFrame({ kind: "request", requestId: event.id, source: senderOf(event), target, payload, metadata });
}

/** Returns the agent that has published an event. Undefined: no agent has. */
export function senderOf({ sender }: WireEvent): WireAgentId | undefined {
  return sender?.type === unknownSender && sender.key === unknownSender ? undefined : sender;
}

function without(attributes: WireMetadata, keys: readonly string[]): WireMetadata {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => !keys.includes(key)));
}
