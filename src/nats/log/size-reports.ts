import { isCount, isFields, readJsonFields } from "../api-answer.ts";
import { mostReported, type ShardReport } from "./shard-sums.ts";

/** Bytes of a report that is read at most. */
const mostBytes = 1024 * 1024;
/** Characters of a token of a subject. */
const longestToken = 300;

// protocol.md §12.9
/** Encodes what the owner of a shard has counted. */
export function encodeReport({ shard, place, mailboxes, types }: ShardReport): Uint8Array {
  const sizes = { shard, place, mailboxes: Object.fromEntries(mailboxes), types: Object.fromEntries(types) };
  return new TextEncoder().encode(JSON.stringify({ sizes }));
}

/** Reads a report. Undefined: it is something else. */
export function readReport(bytes: Uint8Array, shards: number): ShardReport | undefined {
  if (bytes.byteLength > mostBytes) return undefined;
  const { sizes } = readJsonFields(bytes) ?? {};
  if (!isFields(sizes) || !isCount(sizes.shard) || sizes.shard >= shards || !isCount(sizes.place)) return undefined;
  const [mailboxes, types] = [readSums(sizes.mailboxes), readSums(sizes.types)];
  if (mailboxes === undefined || types === undefined) return undefined;
  return { shard: sizes.shard, place: sizes.place, mailboxes, types };
}

function readSums(given: unknown): ReadonlyMap<string, number> | undefined {
  if (!isFields(given)) return undefined;
  const sums = Object.entries(given);
  if (sums.length > mostReported) return undefined;
  const read = new Map<string, number>();
  for (const [name, bytes] of sums) {
    if (name.length > longestToken || !isCount(bytes)) return undefined;
    read.set(name, bytes);
  }
  return read;
}
