import { type ReminderTickInfo, TroupeError } from "../../core/internal.ts";
import { timeoutMetadata } from "../extension-metadata.ts";
import type { WireMetadata } from "../frames/frame.ts";
import { decodeFrame, encodeFrame } from "../frames/frame-codec.ts";
import { reencodeCall } from "../frames/quick-encoder.ts";
import { RawReader, textAt, WireType } from "../frames/raw-reader.ts";
import { hostKeys, metadataKey } from "../wire-names.ts";
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
  // An event that does not name its topic gets an empty one.
  return (
    (isEvent ? undefined : markedQuickly(frame, requestId, marks)) ??
    changed(frame, (metadata) => ({
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
    }))
  );
}

/** Keys whose entries a host writes anew. The principal of a told message stays. */
const renewedKeys: ReadonlySet<string> = new Set([
  metadataKey.timeoutMs,
  metadataKey.idempotency,
  ...hostKeys.filter((key) => key !== metadataKey.principal),
]);
const renewedKeysOfReminders: ReadonlySet<string> = new Set([...renewedKeys, metadataKey.principal]);

/** The same for most calls, whose other bytes are copied. */
function markedQuickly(frame: Uint8Array, requestId: string, marks: MailMarks): PeekedRequest | undefined {
  const { id, attempt, place, reminder, timeoutMs } = marks;
  const metadata: Record<string, string> = {
    [metadataKey.timeoutMs]: String(Math.ceil(timeoutMs)),
    [metadataKey.idempotency]: id,
    [metadataKey.attempt]: String(attempt),
  };
  if (place !== undefined) metadata[metadataKey.mail] = place;
  if (reminder !== undefined) metadata[metadataKey.reminder] = formatTick(reminder);
  const without = reminder === undefined ? renewedKeys : renewedKeysOfReminders;
  const bytes = reencodeCall(frame, { requestId, without, metadata });
  const peeked = bytes && peekFrame(bytes);
  return peeked?.kind === "request" ? peeked : undefined;
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

/** Keys of a call that mean nothing once no caller waits for it. The host writes its own principal. */
const callersKeys: ReadonlySet<string> = new Set([
  metadataKey.path,
  metadataKey.timeoutMs,
  metadataKey.epoch,
  metadataKey.principal,
]);

// protocol.md §11.16
/** Encodes a told call for its mailbox, with the principal of its sender. */
export function encodeToldCall({ bytes }: PeekedRequest, id: string, principal: string | undefined): Uint8Array {
  const marks: WireMetadata = principal === undefined ? {} : { [metadataKey.principal]: principal };
  const quick = reencodeCall(bytes, { requestId: id, without: callersKeys, metadata: marks });
  if (quick !== undefined) return quick;
  const frame = decodeFrame(bytes);
  if (frame.kind !== "request") throw new TroupeError("invalid-message", "A told message is not a call.");
  const left = Object.entries(frame.metadata).filter(([key]) => !callersKeys.has(key));
  return encodeFrame({ ...frame, requestId: id, metadata: { ...Object.fromEntries(left), ...marks } });
}

/** Reads the value of `agidempotency` of a call. Of a repeated entry the last one counts. */
export function idempotencyKeyOf({ bytes, bodyStart, isKeyed }: PeekedRequest): string | undefined {
  if (!isKeyed) return undefined;
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let value: string | undefined;
  while (!reader.atEnd) {
    const tag = reader.tag();
    if (tag !== metadataTag) {
      // The call was peeked, so it is well-formed.
      if (tag < 0 || !reader.skip(tag & 7)) break;
      continue;
    }
    const end = reader.length();
    const keyEnd = reader.number() === keyTag ? reader.length() : -1;
    if (end < 0 || keyEnd < 0) break;
    if (textAt(bytes, reader.position, keyEnd) === metadataKey.idempotency) {
      reader.position = keyEnd;
      // An entry may have no value.
      const hasValue = keyEnd < end && reader.number() === valueTag && reader.length() === end;
      value = hasValue ? textAt(bytes, reader.position, end) : "";
    }
    reader.position = end;
  }
  return value;
}

const [metadataTag, keyTag, valueTag] = [0x32, 0x0a, 0x12];

/** Returns the request id of an answer without an error. Undefined: it has one, or its form is rare. */
export function plainAnswerOf(bytes: Uint8Array): string | undefined {
  const reader = new RawReader(bytes, 0, bytes.length);
  if (reader.number() !== answerArm || reader.length() !== bytes.length) return undefined;
  let requestId: string | undefined;
  while (!reader.atEnd) {
    const tag = reader.tag();
    const end = (tag & 7) === WireType.bytes ? reader.length() : -1;
    if (end < 0 || (tag === errorTag && end > reader.position)) return undefined;
    if (tag === requestIdTag) requestId = textAt(bytes, reader.position, end);
    reader.position = end;
  }
  return requestId;
}

const [answerArm, requestIdTag, errorTag] = [0x12, 0x0a, 0x1a];

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
