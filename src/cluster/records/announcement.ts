import { coordinationLimits, type StoreEntry } from "../coordination-store.ts";
import { encodeRecord, isCount, isText, readFields } from "./record-text.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Encodes an entry that was just written, for other hosts to learn before their watches tell it. Undefined: it is too long. */
export function encodeAnnouncement({ key, value, revision }: StoreEntry): Uint8Array | undefined {
  const bytes = encodeRecord({ key, value: decoder.decode(value), revision });
  return bytes.byteLength > coordinationLimits.maxAnnouncementBytes ? undefined : bytes;
}

/** Reads an announcement. Undefined: it can't be read. */
export function readAnnouncement(bytes: Uint8Array): StoreEntry | undefined {
  const { key, value, revision } = readFields(bytes) ?? {};
  if (!isText(key) || !isText(value) || !isCount(revision)) return undefined;
  return { key, value: encoder.encode(value), revision };
}

/** Encodes which shards have mail or reminders that their owners may not know of. */
export function encodeMailNews(shards: readonly number[]): Uint8Array {
  return encodeRecord({ mail: shards });
}

/** Reads the shards of an announcement of mail. Undefined: it is another one. */
export function readMailNews(bytes: Uint8Array): readonly number[] | undefined {
  const { mail } = readFields(bytes) ?? {};
  return Array.isArray(mail) ? mail.filter((shard) => isCount(shard)) : undefined;
}
