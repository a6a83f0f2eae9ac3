import type { ReminderTickInfo } from "../../core/internal.ts";
import { timeoutMetadata } from "../extension-metadata.ts";
import type { WireMetadata } from "../frames/frame.ts";
import { decodeFrame, encodeFrame } from "../frames/frame-codec.ts";
import { metadataKey } from "../wire-names.ts";
import { peekFrame, withoutHostEntries } from "./frame-peek.ts";
import type { PeekedRequest } from "./peeked-frame.ts";

// protocol.md §11.16
/** The marks with which a host sends a kept call to a worker that names `mail`. */
export interface MailMarks {
  /** The same for every attempt. */
  readonly id: string;
  /** 1 with the first. */
  readonly attempt: number;
  /** Where the host's log has the message, `<shard>.<place>`. Undefined: the call is a reminder. */
  readonly place: string | undefined;
  readonly reminder: ReminderTickInfo | undefined;
  /** Whether the message is an event, which names its topic. */
  readonly isEvent: boolean;
  readonly timeoutMs: number;
}

/** The topic of a kept event. An event has no caller. */
function topicOf(metadata: WireMetadata): WireMetadata {
  return { [metadataKey.topic]: metadata[metadataKey.topic] ?? "" };
}

// protocol.md §11.20
/** The principal with which the host has kept a told message. A reminder has none. */
function principalIn(metadata: WireMetadata): WireMetadata | undefined {
  const principal = metadata[metadataKey.principal];
  return principal === undefined ? undefined : { [metadataKey.principal]: principal };
}

const markKeys: readonly string[] = [
  metadataKey.idempotency,
  metadataKey.delivery,
  metadataKey.mail,
  metadataKey.attempt,
  metadataKey.reminder,
  metadataKey.timeoutMs,
  metadataKey.principal,
];

/** Returns a kept call with marks, under a request id of the host. Undefined: the bytes are not a call. */
export function withMailMarks(frame: Uint8Array, requestId: string, marks: MailMarks): PeekedRequest | undefined {
  const { id, attempt, place, reminder, isEvent, timeoutMs } = marks;
  return changed(frame, (metadata) => ({
    requestId,
    metadata: {
      // What a worker has told may have entries of this kind, too.
      ...withoutHostEntries(metadata),
      ...timeoutMetadata(timeoutMs),
      [metadataKey.idempotency]: id,
      [metadataKey.attempt]: String(attempt),
      ...(place !== undefined && { [metadataKey.mail]: place }),
      ...(reminder !== undefined && { [metadataKey.reminder]: formatTick(reminder) }),
      ...(isEvent ? topicOf(metadata) : reminder === undefined && principalIn(metadata)),
    },
  }));
}

/** Returns a kept call for a worker that does not know the marks: a plain call. Undefined: it is an event, which such a worker can't take. */
export function withoutMailMarks(request: PeekedRequest): PeekedRequest | undefined {
  let isEvent = false;
  const bare = changed(request.bytes, (metadata) => ({
    metadata: Object.fromEntries(
      Object.entries(metadata).filter(([key]) => {
        isEvent ||= key === metadataKey.topic;
        return !markKeys.includes(key);
      }),
    ),
  }));
  return isEvent ? undefined : (bare ?? request);
}

/** Whether a host has sent this call from what it keeps: a told message or a reminder. */
export function isKeptCall(metadata: WireMetadata): boolean {
  return metadataKey.mail in metadata || metadataKey.reminder in metadata;
}

// protocol.md §11.18
/** Reads the topic of a kept event, `type/source`. Undefined: the call is not an event. */
export function keptTopicOf(metadata: WireMetadata): string | undefined {
  return metadataKey.mail in metadata ? metadata[metadataKey.topic] : undefined;
}

/** Reads the tick of a reminder. Undefined: the call is none, or its mark can't be read. */
export function reminderOf(metadata: WireMetadata): ReminderTickInfo | undefined {
  // A name may have any characters, so that the numbers are read from the end.
  const [, name, dueMs, tick, missed] = tickPattern.exec(metadata[metadataKey.reminder] ?? "") ?? [];
  if (name === undefined) return undefined;
  return { name, dueAt: new Date(Number(dueMs)), tick: Number(tick), missed: Number(missed) };
}

const tickPattern = /^(.+);(\d{1,15});(\d{1,15});(\d{1,15})$/s;

function formatTick({ name, dueAt, tick, missed }: ReminderTickInfo): string {
  return [name, dueAt.getTime(), tick, missed].join(";");
}

function changed(
  bytes: Uint8Array,
  change: (metadata: WireMetadata) => { readonly metadata: WireMetadata; readonly requestId?: string },
): PeekedRequest | undefined {
  try {
    const frame = decodeFrame(bytes);
    if (frame.kind !== "request") return undefined;
    const peeked = peekFrame(encodeFrame({ ...frame, ...change(frame.metadata) }));
    return peeked.kind === "request" ? peeked : undefined;
  } catch {
    return undefined;
  }
}
