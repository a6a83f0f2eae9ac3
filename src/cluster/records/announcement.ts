import { coordinationLimits, type StoreEntry } from "../coordination-store.ts";
import { encodeRecord, isCount, isText, readFields } from "./record-text.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** An entry that was just written, for other hosts to learn before their watches tell it. */
export interface Announcement {
  readonly entry: StoreEntry;
  /** That of the host which has written it. A store of a later one may have forgotten the entry. */
  readonly generation: number;
}

/** Encodes an announcement. Undefined: it is too long. */
export function encodeAnnouncement({ entry, generation }: Announcement): Uint8Array | undefined {
  const { key, value, revision } = entry;
  const bytes = encodeRecord({ key, value: decoder.decode(value), revision, generation });
  return bytes.byteLength > coordinationLimits.maxAnnouncementBytes ? undefined : bytes;
}

/** Reads an announcement. Undefined: it can't be read. */
export function readAnnouncement(bytes: Uint8Array): Announcement | undefined {
  const { key, value, revision, generation } = readFields(bytes) ?? {};
  if (!isText(key) || !isText(value) || !isCount(revision) || !isCount(generation)) return undefined;
  return { entry: { key, value: encoder.encode(value), revision }, generation };
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
