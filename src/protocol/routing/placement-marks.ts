import { Buffer } from "node:buffer";
import { type Epoch, formatEpoch, parseEpoch } from "../../core/internal.ts";
import type { WireMetadata } from "../frames/frame.ts";
import { nameAt, RawReader } from "../frames/raw-reader.ts";
import { attribute, metadataKey } from "../wire-names.ts";
import { withoutAttribute } from "./frame-peek.ts";
import type { PeekedEvent } from "./peeked-frame.ts";
import { type SplicedFrame, varintLength, writeVarint } from "./request-id.ts";

const metadataTag = 0x32;
const attributeTag = 0x2a;
const eventArm = 0x1a;
const sourceTag = 0x12;
const keyTag = 0x0a;
const valueTag = 0x12;
const ceStringTag = 0x1a;
const epochKey = text(keyTag, metadataKey.epoch);
const recipientsKey = text(keyTag, attribute.recipients);

// protocol.md §11.14
/** Returns the metadata entry `agepoch` of a call, as a field of the request. */
export function epochEntry(epoch: Epoch): Uint8Array {
  const value = formatEpoch(epoch);
  // Key and value with their tags are shorter than 128 bytes, so that each length is one byte.
  const bytes = new Uint8Array(2 + epochKey.length + 2 + value.length);
  bytes[0] = metadataTag;
  bytes[1] = bytes.length - 2;
  bytes.set(epochKey, 2);
  let at = 2 + epochKey.length;
  bytes[at++] = valueTag;
  bytes[at++] = value.length;
  for (let digit = 0; digit < value.length; digit += 1) bytes[at + digit] = value.charCodeAt(digit);
  return bytes;
}

/** Reads the epoch under which a host has sent a call; undefined: it names none that can be read. */
export function epochOf(metadata: WireMetadata): Epoch | undefined {
  const value = metadata[metadataKey.epoch];
  return value === undefined ? undefined : epochIn(value);
}

/** Returns the event without recipients that its publisher has written: only hosts name them. */
export function withoutRecipients(event: PeekedEvent): PeekedEvent {
  return withoutAttribute(event, attribute.recipients);
}

/** Returns the topic source of an event. Of a repeated field the last one counts. */
export function topicSourceOf({ bytes, bodyStart }: PeekedEvent): string {
  const reader = new RawReader(bytes, bodyStart, bytes.length);
  let source = "";
  while (!reader.atEnd) {
    const tag = reader.number();
    if (tag !== sourceTag) {
      // The event was peeked, so it is well-formed.
      if (tag < 0 || !reader.skip(tag & 7)) break;
      continue;
    }
    const end = reader.length();
    if (end < 0) break;
    source = nameAt(bytes, reader.position, end);
    reader.position = end;
  }
  return source;
}

/** Returns the frame of an event that names the agents of shared types that it is for. All other bytes stay, without a copy. */
export function spliceRecipients({ bytes, bodyStart }: PeekedEvent, recipients: string | Uint8Array): SplicedFrame {
  const names = typeof recipients === "string" ? Buffer.from(recipients, "utf8") : recipients;
  const valueLength = fieldLength(names.length);
  const entryLength = recipientsKey.length + fieldLength(valueLength);
  const bodyLength = bytes.length - bodyStart + fieldLength(entryLength);
  // The names may be long: they are copied once.
  const head = new Uint8Array(1 + varintLength(bodyLength) + fieldLength(entryLength));
  head[0] = eventArm;
  let at = writeVarint(head, 1, bodyLength);
  head[at] = attributeTag;
  at = writeVarint(head, at + 1, entryLength);
  head.set(recipientsKey, at);
  at += recipientsKey.length;
  head[at] = valueTag;
  at = writeVarint(head, at + 1, valueLength);
  head[at] = ceStringTag;
  head.set(names, writeVarint(head, at + 1, names.length));
  return { head, rest: bytes.subarray(bodyStart), byteLength: head.length + bytes.length - bodyStart };
}

/** Returns how an event names one of its agents of shared types; several are joined by `,`. */
export function formatRecipient(agentType: string, epoch: Epoch): string {
  return `${agentType}=${formatEpoch(epoch)}`;
}

/** Marks an event that is for the named agents alone, and not for agents of exclusive types that subscribe. */
const aloneMark = "!";

/** As `formatRecipient`, for an event that is for this agent alone. */
export function formatLoneRecipient(agentType: string, epoch: Epoch): string {
  return aloneMark + formatRecipient(agentType, epoch);
}

/** Returns how an event that is for these agents alone names them. */
export function formatLoneRecipients(recipients: readonly string[]): string {
  return aloneMark + recipients.join(",");
}

/** Whether an event is for the agents alone that `recipientsIn` returns. */
export function isForRecipientsAlone(attributes: WireMetadata): boolean {
  return attributes[attribute.recipients]?.startsWith(aloneMark) === true;
}

/** The agents of shared types that an event is for, by their types. */
export function recipientsIn(attributes: WireMetadata): ReadonlyMap<string, Epoch> {
  const value = attributes[attribute.recipients];
  if (value === undefined) return noRecipients;
  const recipients = new Map<string, Epoch>();
  for (const part of (value.startsWith(aloneMark) ? value.slice(1) : value).split(",")) {
    const at = part.indexOf("=");
    const epoch = at < 1 ? undefined : epochIn(part.slice(at + 1));
    if (epoch !== undefined) recipients.set(part.slice(0, at), epoch);
  }
  return recipients;
}

// protocol.md §12.8
/** Returns what stands behind the names of an event that came on a link of another host. No agent has such a name. */
export function formatLinkMark(link: number): string {
  return `=${link}`;
}

/** Returns the link on which an event came that a worker gives back; undefined: it came from a worker of this host. */
export function linkIn(attributes: WireMetadata): number | undefined {
  const mark = /,=(\d{1,15})$/.exec(attributes[attribute.recipients] ?? "");
  return mark === null ? undefined : Number(mark[1]);
}

/** The types of the agents that an event is for alone, exclusive ones too. */
export function typesAlone(attributes: WireMetadata): ReadonlySet<string> {
  const names = attributes[attribute.recipients]?.slice(aloneMark.length).split(",") ?? [];
  return new Set(names.flatMap((name) => name.split("=", 1)[0] || []));
}

const noRecipients: ReadonlyMap<string, Epoch> = new Map();

function epochIn(value: string): Epoch | undefined {
  try {
    return parseEpoch(value);
  } catch {
    return undefined;
  }
}

/** The length of a field with a tag of one byte, a length, and so many bytes. */
function fieldLength(valueLength: number): number {
  return 1 + varintLength(valueLength) + valueLength;
}

function text(tag: number, value: string): Uint8Array {
  return field(tag, Buffer.from(value, "utf8"));
}

function field(tag: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + varintLength(value.length) + value.length);
  bytes[0] = tag;
  bytes.set(value, writeVarint(bytes, 1, value.length));
  return bytes;
}
