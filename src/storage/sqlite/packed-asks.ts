import type { Commit, CommitOutcome } from "../../core/internal.ts";
import type { Ask, AskOf, Reply } from "./asks.ts";

// What goes between threads is copied, object by object. The usual commit writes a state alone. It takes a tenth of the time as a part
// of one text, with its bytes in one buffer for the whole group. Its outcome goes in one list likewise.

/** Asks on their way to a thread. */
export interface PackedAsks {
  /** The asks in their order, as JSON: the number of one that is not packed, or a packed commit. */
  readonly text: string;
  /** The data of the packed commits, one after the other. It is transferred. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly others: readonly Ask[];
}

/** Replies on their way from a thread. */
export interface PackedReplies {
  /** Of each packed reply its number, eTag and revision. */
  readonly committed: readonly (string | number)[];
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

export function packAsks(asks: readonly Ask[]): PackedAsks {
  const others: Ask[] = [];
  const all: Uint8Array[] = [];
  let length = 0;
  const entries = asks.map((ask): number | PackedCommit => {
    const commit = commitAlone(ask);
    if (commit === undefined) return others.push(ask) - 1;
    const { agent, epoch, expected, write } = commit;
    all.push(write.data);
    length += write.data.length;
    return [
      ...([ask.id, ask.bytes, commit.nowMs, agent.type, agent.key] as const),
      epoch === undefined ? 0 : [epoch.generation, epoch.era, epoch.number],
      expected.at === "version" ? expected.eTag : expected.at === "nothing" ? 0 : 1,
      ...([write.contentType, write.schemaVersion, write.data.length] as const),
    ];
  });
  const data = new Uint8Array(length);
  let at = 0;
  for (const part of all) {
    data.set(part, at);
    at += part.length;
  }
  return { text: JSON.stringify(entries), data, others };
}

export function unpackAsks({ text, data, others }: PackedAsks): readonly Ask[] {
  // What `packAsks` has written.
  const entries = JSON.parse(text) as readonly (number | PackedCommit)[];
  let at = 0;
  return entries.flatMap((entry) => {
    if (typeof entry === "number") return others[entry] ?? [];
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
      ...{ reminders: [], mail: [], remembered: [] },
    };
    return { kind: "commit", id, bytes, nowMs, commits: [commit] };
  });
}

export function packReplies(replies: readonly Reply[]): PackedReplies {
  const committed: (string | number)[] = [];
  const others: Reply[] = [];
  for (const reply of replies) {
    const outcome = committedAlone(reply);
    if (outcome === undefined) others.push(reply);
    else committed.push(reply.id, outcome.eTag, outcome.revision);
  }
  return { committed, others };
}

export function unpackReplies({ committed, others }: PackedReplies): readonly Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at < committed.length; at += 3) {
    const value: readonly CommitOutcome[] = [
      { at: "committed", eTag: String(committed[at + 1]), revision: Number(committed[at + 2]) },
    ];
    replies.push({ id: Number(committed[at]), value });
  }
  return replies.concat(others);
}

type StateCommit = Commit & { readonly write: { readonly at: "put" } } & Pick<AskOf<"commit">, "nowMs">;

/** The commit of an ask that has one, which puts a state and does nothing else. */
function commitAlone(ask: Ask): StateCommit | undefined {
  if (ask.kind !== "commit" || ask.commits.length !== 1) return undefined;
  const [commit] = ask.commits;
  if (commit === undefined || commit.write.at !== "put") return undefined;
  if (commit.reminders.length > 0 || commit.mail.length > 0 || commit.remembered.length > 0) return undefined;
  return { ...commit, write: commit.write, nowMs: ask.nowMs };
}

/** The outcome of a reply to such an ask, if it was written. */
function committedAlone(reply: Reply): (CommitOutcome & { readonly at: "committed" }) | undefined {
  if (!("value" in reply) || !Array.isArray(reply.value) || reply.value.length !== 1) return undefined;
  // A list is the value of a commit, of reminders or of mail; only an outcome has `at`.
  const [outcome] = reply.value as readonly (CommitOutcome | { readonly at?: undefined })[];
  return outcome?.at === "committed" ? outcome : undefined;
}
