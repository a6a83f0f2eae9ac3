import type { Commit, CommitOutcome, StateRecord } from "../../core/internal.ts";
import type { Ask, Reply } from "./asks.ts";
import type { MailPart } from "./mail-parts.ts";

// What goes between threads is copied, object by object. The usual commit writes a state alone. It takes a tenth of the time as a part
// of one text, with its bytes in one buffer for the whole group. Its outcome goes in one list likewise. So do loads, and replies
// without a value.

/** Asks on their way to a thread. */
export interface PackedAsks {
  /** The asks in their order, as JSON: the number of one that is not packed, a packed commit or a packed load. */
  readonly text: string;
  /** The data of the packed commits, one after the other. It is transferred. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly others: readonly Ask[];
}

/** Says to a thread that its store has taken its replies. */
export const repliesTaken = "replies-taken";

/** A message to a thread. */
export type MessageToThread = PackedAsks | MailPart | typeof repliesTaken;

/** Replies on their way from a thread. */
export interface PackedReplies {
  /** Of each packed reply to a commit its number, eTag and revision. */
  readonly committed: readonly (string | number)[];
  /** The loaded records, as JSON, and their data, one after the other. It is transferred. */
  readonly loaded: string;
  readonly data: Uint8Array<ArrayBuffer>;
  /** The numbers of replies without a value: of loads that found nothing, and of settlements. */
  readonly empty: readonly number[];
  readonly others: readonly Reply[];
}

/** Number, bytes, time, type, key, epoch (0: none), expected (a text: an eTag), content type, schema version, length of the data. */
type PackedCommit = readonly [
  number,
  number,
  number,
  string,
  string,
  readonly [number, number, number] | 0,
  string | 0 | 1,
  string,
  number,
  number,
];

/** Number, bytes, type, key, eTag of the version that is not loaded again (0: none), most bytes of its data. */
type PackedLoad = readonly [number, number, string, string, string | 0, number];

/** Number, eTag, revision, schema version, content type, time, epoch (0: none), length of the data. */
type PackedRecord = readonly [
  number,
  string,
  number,
  number,
  string,
  number,
  readonly [number, number, number] | 0,
  number,
];

export function packAsks(asks: readonly Ask[]): PackedAsks {
  const others: Ask[] = [];
  const entries: (number | PackedCommit | PackedLoad)[] = [];
  const all: Uint8Array[] = [];
  let length = 0;
  for (const ask of asks) {
    if (ask.kind === "load") {
      entries.push([ask.id, ask.bytes, ask.agent.type, ask.agent.key, ask.unless ?? 0, ask.maxBytes]);
      continue;
    }
    const commit = ask.kind === "commit" ? commitAlone(ask.commits) : undefined;
    if (ask.kind !== "commit" || commit === undefined) {
      entries.push(others.push(ask) - 1);
      continue;
    }
    const { write } = commit;
    all.push(write.data);
    length += write.data.length;
    entries.push(packedCommit(ask, commit));
  }
  return { text: JSON.stringify(entries), data: joined(all, length), others };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return data;
}

function packedCommit(
  { id, bytes, nowMs }: { readonly id: number; readonly bytes: number; readonly nowMs: number },
  { agent, epoch, expected, write }: CommitAlone,
): PackedCommit {
  const version = expected.at === "version" ? expected.eTag : expected.at === "nothing" ? 0 : 1;
  const under = epoch === undefined ? 0 : ([epoch.generation, epoch.era, epoch.number] as const);
  const { contentType, schemaVersion, data } = write;
  return [id, bytes, nowMs, agent.type, agent.key, under, version, contentType, schemaVersion, data.length];
}

const none: readonly never[] = [];
/** Bytes of a record that goes with others. */
const longestJoined = 64 * 1024;

export function unpackAsks({ text, data, others }: PackedAsks): readonly Ask[] {
  // What `packAsks` has written.
  const entries = JSON.parse(text) as readonly (number | PackedCommit | PackedLoad)[];
  const asks: Ask[] = [];
  let at = 0;
  for (const entry of entries) {
    if (typeof entry === "number") {
      const ask = others[entry];
      if (ask !== undefined) asks.push(ask);
    } else if (isLoad(entry)) {
      const [id, bytes, type, key, known, maxBytes] = entry;
      const unless = known === 0 ? undefined : known;
      asks.push({ kind: "load", id, bytes, agent: { type, key }, unless, maxBytes });
    } else {
      const [id, bytes, nowMs, type, key, epoch, expected, contentType, schemaVersion, length] = entry;
      const from = at;
      at += length;
      const commit: Commit = {
        agent: { type, key },
        epoch: epoch === 0 ? undefined : { generation: epoch[0], era: epoch[1], number: epoch[2] },
        expected:
          typeof expected === "string"
            ? { at: "version", eTag: expected }
            : { at: expected === 0 ? "nothing" : "anything" },
        write: { at: "put", contentType, schemaVersion, data: data.subarray(from, at) },
        reminders: none,
        mail: none,
        remembered: none,
      };
      asks.push({ kind: "commit", id, bytes, nowMs, commits: [commit] });
    }
  }
  return asks;
}

function isLoad(entry: PackedCommit | PackedLoad): entry is PackedLoad {
  return entry.length === 6;
}

export function packReplies(replies: readonly Reply[]): PackedReplies {
  const committed: (string | number)[] = [];
  const empty: number[] = [];
  const others: Reply[] = [];
  const records: PackedRecord[] = [];
  const all: Uint8Array[] = [];
  let length = 0;
  for (const reply of replies) {
    if ("value" in reply && reply.value === undefined) {
      empty.push(reply.id);
      continue;
    }
    const record = loadedRecord(reply);
    if (record !== undefined) {
      records.push(packedRecord(reply.id, record));
      all.push(record.data);
      length += record.data.length;
      continue;
    }
    const outcome = committedAlone(reply);
    if (outcome === undefined) others.push(reply);
    else committed.push(reply.id, outcome.eTag, outcome.revision);
  }
  return { committed, loaded: JSON.stringify(records), data: joined(all, length), empty, others };
}

function packedRecord(
  id: number,
  { eTag, revision, schemaVersion, contentType, savedAtMs, epoch, data }: StateRecord,
): PackedRecord {
  const under = epoch === undefined ? 0 : ([epoch.generation, epoch.era, epoch.number] as const);
  return [id, eTag, revision, schemaVersion, contentType, savedAtMs, under, data.length];
}

export function unpackReplies({ committed, loaded, data, empty, others }: PackedReplies): readonly Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at < committed.length; at += 3) {
    const value: readonly CommitOutcome[] = [
      { at: "committed", eTag: String(committed[at + 1]), revision: Number(committed[at + 2]) },
    ];
    replies.push({ id: Number(committed[at]), value });
  }
  for (const id of empty) replies.push({ id, value: undefined });
  let from = 0;
  // What `packReplies` has written.
  for (const packed of JSON.parse(loaded) as readonly PackedRecord[]) {
    const [id, eTag, revision, schemaVersion, contentType, savedAtMs, under, length] = packed;
    const epoch = under === 0 ? undefined : { generation: under[0], era: under[1], number: under[2] };
    // A copy: who keeps one record must not keep the bytes of its whole group.
    const own = length === data.length ? data : data.slice(from, from + length);
    from += length;
    replies.push({ id, value: { eTag, revision, schemaVersion, contentType, data: own, savedAtMs, epoch } });
  }
  return replies.concat(others);
}

/** The record of a reply to a load that found one. A long one goes alone, since a join would copy it. */
function loadedRecord(reply: Reply): StateRecord | undefined {
  if (!("value" in reply) || typeof reply.value !== "object" || reply.value === null) return undefined;
  // Of all values only a record has an eTag.
  const record = reply.value as StateRecord | { readonly eTag?: undefined };
  return record.eTag !== undefined && record.data.length <= longestJoined ? record : undefined;
}

/** A commit that puts a state and does nothing else. */
export interface CommitAlone extends Commit {
  readonly write: Commit["write"] & { readonly at: "put" };
}

/** The commit of an ask that has one, which puts a state and does nothing else. */
export function commitAlone(commits: readonly Commit[]): CommitAlone | undefined {
  const [commit] = commits;
  return commit !== undefined && commits.length === 1 && isAlone(commit) ? commit : undefined;
}

function isAlone(commit: Commit): commit is CommitAlone {
  const { write, reminders, mail, remembered, runs } = commit;
  if (runs !== undefined) return false;
  return write.at === "put" && reminders.length === 0 && mail.length === 0 && remembered.length === 0;
}

/** The outcome of a reply to such an ask, if it was written. */
function committedAlone(reply: Reply): (CommitOutcome & { readonly at: "committed" }) | undefined {
  if (!("value" in reply) || !Array.isArray(reply.value) || reply.value.length !== 1) return undefined;
  // A list is the value of a commit, of reminders or of mail; only an outcome has `at`.
  const [outcome] = reply.value as readonly (CommitOutcome | { readonly at?: undefined })[];
  return outcome?.at === "committed" && outcome.knownMail === undefined && outcome.buriedMail === undefined
    ? outcome
    : undefined;
}
