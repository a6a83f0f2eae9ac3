import type { LostReaders } from "../../core/internal.ts";
import type { StoreEntry } from "../coordination-store.ts";
import { encodeAgain, type Fields, isCount, isEra, isText, readFields } from "./record-text.ts";
import { hostKey, serveKey, shardKey, typeKey, workerKey } from "./store-keys.ts";

/** Losses of owners that a shard's record remembers. The oldest are forgotten first. */
const mostLosses = 16;

// Later versions may add fields. A host that writes the record of another one again keeps fields that it does not know.

/** The record of all hosts. */
export interface MetaRecord {
  /** Changes when the store was found to have forgotten writes. Each host then begins a new life. */
  readonly id: string;
  /** First part of epochs. It only rises. */
  readonly generation: number;
  readonly leaseMs: number;
  readonly workerLeaseMs: number;
  /** The era of an agent type that has no record: higher than that of any type whose record was purged. Default: 0. */
  readonly baseEra?: number;
  /** The oldest version of what hosts agree on that this cluster takes. Default: 1. */
  readonly minProtocol?: number;
}

/** A host's record. */
export interface HostRecord {
  readonly hostId: string;
  readonly state: "up" | "draining" | "dead";
  /** Counts the writes that its host has tried. */
  readonly renewals: number;
  /** For people. */
  readonly label: string;
  /** Where other hosts, and workers, reach it. */
  readonly peerAddress: string;
  readonly workerAddress: string;
  readonly leaseMs: number;
  /** Whether it reads shards of the mail. Default: false. */
  readonly readsMail?: boolean;
}

/** A worker's record, whatever it serves. */
export interface WorkerRecord {
  readonly workerId: string;
  /** `gone` is final. */
  readonly state: "here" | "gone";
  readonly hostId: string;
  /** Counts the connections of the worker. */
  readonly session: number;
  readonly clientId: string;
  readonly kind: "troupe" | "stock";
  /** Stays the same when the worker is started again. */
  readonly name: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly principal: string;
}

/** Says who serves an agent type. `era` rises when the type becomes shared or exclusive. */
export type TypeRecord = TypeByMode & {
  /** The address of the worker that was the first to register the type. Undefined: an older host has written it. */
  readonly addedBy?: string | undefined;
  /** No worker serves the type. A registration writes the record without it. */
  readonly isUnserved?: boolean;
  /** The name is free again, and the record is about to be purged. */
  readonly isRetired?: boolean;
};

type TypeByMode =
  | {
      readonly mode: "exclusive";
      readonly type: string;
      readonly workerId: string;
      readonly principal: string;
      readonly generation: number;
      readonly era: number;
    }
  | { readonly mode: "shared"; readonly type: string; readonly terms: string; readonly era: number }
  /** `generation`: of the owner that has left. */
  | { readonly mode: "free"; readonly type: string; readonly era: number; readonly generation?: number };

/** Says that a worker serves a shared type, or that it has ceased to. */
export interface ServeRecord {
  readonly type: string;
  readonly workerId: string;
  readonly isEnded: boolean;
}

/** Says which host reads a shard of the mail. */
export interface ShardRecord {
  readonly shard: number;
  /** Empty: no host does. */
  readonly hostId: string;
  /** Owners that were lost while they read it. */
  readonly lost: readonly LostReaders[];
}

/** An entry as it was read. */
type Entry = Pick<StoreEntry, "key" | "value">;

/** Encodes the record of a host that is declared dead. */
export function encodeDeadHost(record: HostRecord): Uint8Array {
  const names = ["hostId", "state", "renewals", "label", "peerAddress", "workerAddress", "leaseMs"] as const;
  return encodeAgain<HostRecord>({ ...record, state: "dead" }, names);
}

/** Encodes the record of a worker that is gone. */
export function encodeGoneWorker(record: WorkerRecord): Uint8Array {
  const here = ["workerId", "state", "hostId", "session", "clientId", "kind"] as const;
  return encodeAgain<WorkerRecord>({ ...record, state: "gone" }, [...here, "name", "version", "labels", "principal"]);
}

/** Encodes the record of a shard under another owner. */
export function encodeShard(record: ShardRecord): Uint8Array {
  return encodeAgain<ShardRecord>({ ...record, lost: record.lost.slice(-mostLosses) }, ["shard", "hostId", "lost"]);
}

// A record whose text names something else than its key is not believed: an operator or a bug has put it there.

export function metaIn(entry: Entry): MetaRecord | undefined {
  return parseMeta(entry.value);
}

export function hostIn(entry: Entry): HostRecord | undefined {
  return under(entry, parseHost(entry.value), ({ hostId }) => hostKey(hostId));
}

export function workerIn(entry: Entry): WorkerRecord | undefined {
  return under(entry, parseWorker(entry.value), ({ workerId }) => workerKey(workerId));
}

export function typeIn(entry: Entry): TypeRecord | undefined {
  return under(entry, parseType(entry.value), ({ type }) => typeKey(type));
}

export function serveIn(entry: Entry): ServeRecord | undefined {
  return under(entry, parseServe(entry.value), ({ type, workerId }) => serveKey(type, workerId));
}

export function shardIn(entry: Entry): ShardRecord | undefined {
  return under(entry, parseShard(entry.value), ({ shard }) => shardKey(shard));
}

function under<T>({ key }: Entry, record: T | undefined, keyOf: (record: T) => string): T | undefined {
  return record !== undefined && keyOf(record) === key ? record : undefined;
}

// What is stored is JSON of the same fields: each check below says which ones it needs.

export function parseMeta(value: Uint8Array): MetaRecord | undefined {
  return parse(value, isMeta);
}

export function parseHost(value: Uint8Array): HostRecord | undefined {
  return parse(value, isHost);
}

export function parseWorker(value: Uint8Array): WorkerRecord | undefined {
  return parse(value, isWorker);
}

export function parseType(value: Uint8Array): TypeRecord | undefined {
  return parse(value, isType);
}

export function parseServe(value: Uint8Array): ServeRecord | undefined {
  return parse(value, isServe);
}

export function parseShard(value: Uint8Array): ShardRecord | undefined {
  return parse(value, isShard);
}

function parse<T>(value: Uint8Array, isRecord: (fields: unknown) => fields is T): T | undefined {
  const fields: unknown = readFields(value);
  return fields !== undefined && isRecord(fields) ? fields : undefined;
}

type Check<T> = (fields: unknown) => fields is T;

/** Makes a check of fields by their names. */
function fieldsAre<T>(checks: Readonly<Record<string, (value: unknown) => boolean>>): Check<T> {
  const all = Object.entries(checks);
  return (value): value is T => {
    // `parse` gives nothing but records here.
    const fields = value as Fields;
    return all.every(([name, isRight]) => isRight(fields[name]));
  };
}

const oneOf =
  (...words: readonly string[]) =>
  (value: unknown) =>
    isText(value) && words.includes(value);

const isLabels = (value: unknown) => typeof value === "object" && value !== null && Object.values(value).every(isText);

const isMeta = fieldsAre<MetaRecord>({
  ...{ id: isText, generation: isCount, leaseMs: isCount, workerLeaseMs: isCount },
  minProtocol: (value) => value === undefined || isCount(value),
  baseEra: (value) => value === undefined || isEra(value),
});

const isHost = fieldsAre<HostRecord>({
  ...{ hostId: isText, state: oneOf("up", "draining", "dead"), renewals: isCount, label: isText },
  ...{ peerAddress: isText, workerAddress: isText, leaseMs: isCount },
});

const isWorker = fieldsAre<WorkerRecord>({
  ...{ workerId: isText, state: oneOf("here", "gone"), hostId: isText, session: isCount, clientId: isText },
  ...{ kind: oneOf("troupe", "stock"), name: isText, version: isText, labels: isLabels, principal: isText },
});

const isServe = fieldsAre<ServeRecord>({
  type: isText,
  workerId: isText,
  isEnded: (value) => typeof value === "boolean",
});

const isLost = fieldsAre<LostReaders>({ upTo: isCount, count: isCount });

const isShard = fieldsAre<ShardRecord>({
  ...{ shard: isCount, hostId: isText },
  lost: (value) =>
    Array.isArray(value) && value.every((one: unknown) => typeof one === "object" && one !== null && isLost(one)),
});

const isFlag = (value: unknown) => value === undefined || typeof value === "boolean";
const ofType = {
  ...{ type: isText, era: isEra, isUnserved: isFlag, isRetired: isFlag },
  addedBy: (value: unknown) => value === undefined || isText(value),
};
const typeChecks: readonly Check<TypeRecord>[] = [
  fieldsAre({ ...ofType, mode: oneOf("exclusive"), workerId: isText, principal: isText, generation: isCount }),
  fieldsAre({ ...ofType, mode: oneOf("shared"), terms: isText }),
  fieldsAre({ ...ofType, mode: oneOf("free"), generation: (value) => value === undefined || isCount(value) }),
];

function isType(fields: unknown): fields is TypeRecord {
  return typeChecks.some((isOfMode) => isOfMode(fields));
}
