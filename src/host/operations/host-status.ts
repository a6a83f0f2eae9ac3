import { limits } from "../limits.ts";
import type { LinkReport } from "../peers/host-ways.ts";

/** The state of one host of a cluster, as it tells it itself. */
export interface HostStatus {
  /** The version of Troupe. Null: it is too old to tell. */
  readonly version: string | null;
  /** The versions of the protocol between hosts that it speaks. Null: it is too old to tell. */
  readonly protocol: { readonly oldest: number; readonly newest: number } | null;
  /** Counts the lives of the host's process: each has another host id. */
  readonly life: number;
  /** False: it has lost touch with its cluster. */
  readonly isServing: boolean;
  /** Milliseconds until it is isolated. */
  readonly leaseLeftMs: number;
  /** Workers with a channel, and those of them that are AutoGen's. */
  readonly workers: number;
  readonly stockWorkers: number;
  readonly types: number;
  readonly subscriptions: number;
  /** Agents of shared types that its workers have, and calls without an answer. */
  readonly agents: number;
  readonly calls: number;
  /** Bytes that wait for its workers; those that it keeps for all clients, and may keep. */
  readonly queuedBytes: number;
  readonly heldBytes: number;
  readonly maxHeldBytes: number;
  /** The shards of the mail that it reads. */
  readonly shards: readonly number[];
  /** Its links to other hosts. */
  readonly links: readonly LinkReport[];
  /** Its counters in the cluster. */
  readonly counters: { readonly [name: string]: number };
}

// protocol.md §12.5
/** Methods that one host asks of another for an operator. */
export const operatorMethod = {
  ...{ status: "HostStatus", drain: "DrainHost" },
  ...{ agents: "ListAgents", places: "FindAgents", drainWorker: "DrainWorker", messages: "ListMessages" },
} as const;

/** Bytes of a status: one with 64 links takes some 20 KB. */
const longestStatus = 256 * 1024;
const mostLinks = 256;
const mostShards = 1_024;
const mostCounters = 200;

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Reads the status that another host tells. Undefined: the bytes are something else. Fields that this version does not know are passed over. */
export function readHostStatus(bytes: Uint8Array): HostStatus | undefined {
  const fields = fieldsIn(bytes, longestStatus);
  if (fields === undefined) return undefined;
  const { isServing, shards, links, counters } = fields;
  const counts = countsIn(fields);
  if (typeof isServing !== "boolean" || counts === undefined) return undefined;
  if (!isList(shards, mostShards) || !shards.every(isCount)) return undefined;
  const readLinks = isList(links, mostLinks) ? links.map(linkIn) : [undefined];
  const readCounters = countersIn(counters);
  if (readCounters === undefined || !readLinks.every((link) => link !== undefined)) return undefined;
  const told = { version: versionIn(fields.version), protocol: protocolIn(fields.protocol) };
  return { ...told, ...counts, isServing, shards, links: readLinks, counters: readCounters };
}

/** Reads the grace of a drain. Undefined: it names none. `"invalid"`: it can't be read. */
export function readGrace(bytes: Uint8Array): number | undefined | "invalid" {
  const fields = fieldsIn(bytes, longestStatus);
  if (fields === undefined) return "invalid";
  const { graceMs } = fields;
  if (graceMs === undefined) return undefined;
  return isCount(graceMs) && graceMs <= limits.longestDrainMs ? graceMs : "invalid";
}

type Fields = { readonly [name: string]: unknown };

/** Reads a JSON object of at most so many bytes. Undefined: the text is longer, or no JSON object. */
export function fieldsIn(bytes: Uint8Array, most: number): Fields | undefined {
  if (bytes.length > most) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const countNames = [
  ...(["life", "leaseLeftMs", "workers", "stockWorkers", "types", "subscriptions", "agents", "calls"] as const),
  ...(["queuedBytes", "heldBytes", "maxHeldBytes"] as const),
] as const;
type Counts = { readonly [Name in (typeof countNames)[number]]: number };

function countsIn(fields: Fields): Counts | undefined {
  const entries = countNames.map((name) => [name, fields[name]] as const);
  // Each name of the list has a number.
  return entries.every(([, value]) => isCount(value)) ? (Object.fromEntries(entries) as Counts) : undefined;
}

function versionIn(value: unknown): string | null {
  return typeof value === "string" && /^[\w.+-]{1,64}$/.test(value) ? value : null;
}

function protocolIn(value: unknown): HostStatus["protocol"] {
  if (!isRecord(value)) return null;
  const { oldest, newest } = value;
  return isCount(oldest) && isCount(newest) ? { oldest, newest } : null;
}

function linkIn(value: unknown): LinkReport | undefined {
  if (!isRecord(value)) return undefined;
  const { hostId, isOpen, isAccepted, queuedFrames, queuedBytes, droppedEvents, roundTripMs } = value;
  if (typeof hostId !== "string" || hostId.length > limits.hostIdChars) return undefined;
  if (typeof isOpen !== "boolean" || typeof isAccepted !== "boolean") return undefined;
  if (!isCount(queuedFrames) || !isCount(queuedBytes) || !isCount(droppedEvents)) return undefined;
  if (roundTripMs !== null && !isCount(roundTripMs)) return undefined;
  return { hostId, isOpen, isAccepted, queuedFrames, queuedBytes, droppedEvents, roundTripMs };
}

function countersIn(value: unknown): { readonly [name: string]: number } | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value).slice(0, mostCounters);
  const known = entries.flatMap(([name, count]) => (/^\w{1,64}$/.test(name) && isCount(count) ? [[name, count]] : []));
  return Object.fromEntries(known);
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: unknown, most: number): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= most;
}

export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
