import type { MakeId } from "../clock.ts";
import { type AgentName, compareBytes, shardOf, textOfName } from "./agent-name.ts";
import type { Epoch } from "./epoch.ts";
import { judgeCommit, limitOver, remindersOver } from "./judge-commit.ts";
import type {
  Commit,
  CommitOutcome,
  RememberedMessage,
  Settlements,
  StateRecord,
  StoredMail,
  StoredReminder,
} from "./state-store.ts";
import { storeLimits } from "./store-limits.ts";

/** Limits of a `StateMemory`. */
export interface StateMemoryLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly expireAfterMs: number;
  readonly makeId: MakeId;
}

/** The two times that are needed with each access. */
export interface Moment {
  /** Of a clock that never goes back. */
  readonly nowMs: number;
  readonly wallMs: number;
}

/** A record in memory. */
export interface MemoryRecord extends StateRecord {
  readonly agent: AgentName;
  /** By the clock that never goes back. */
  readonly savedMs: number;
}

interface Remembered extends RememberedMessage {
  readonly atMs: number;
}

// Memory of an entry beside its names and bytes. Measured with 100 000 of each: 1,018 bytes for a record with an epoch, 738 for a reminder.
const recordBytes = 1_050;
const smallEntryBytes = 750;

/** The data of memory stores, which several stores may share. */
export class StateMemory {
  /** The one that was saved longest ago first. */
  readonly records = new Map<string, MemoryRecord>();
  /** By agent, then by name. */
  readonly reminders = new Map<string, Map<string, StoredReminder>>();
  /** By place; the oldest first. */
  readonly mail = new Map<number, StoredMail>();
  /** Of the newest opening; 0: never opened. */
  incarnation = 0;
  /** Highest of all openings and epochs. */
  newestGeneration = 0;
  /** Whether the newest opening has not been closed. */
  isHeld = false;
  /** Places of mail by its receiver. */
  readonly #placesOf = new Map<string, Set<number>>();
  readonly #remembered = new Map<string, readonly Remembered[]>();
  readonly #limits: StateMemoryLimits;
  #bytes = 0;
  #lastSeq = 0;
  #lastPlace = 0;

  constructor(limits: StateMemoryLimits) {
    this.#limits = limits;
  }

  /** Writes one commit, or says why not. */
  commit(commit: Commit, moment: Moment): CommitOutcome {
    const limit = limitOver(commit, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    if (limit !== undefined) return { at: "refused", limit };
    const name = textOfName(commit.agent);
    const stored = this.records.get(name);
    const refusal = judgeCommit(commit, stored) ?? this.#refusal(name, commit, stored);
    if (refusal !== undefined) return refusal;
    if (commit.write.at === "delete") this.#deleteAgent(name);
    const record = this.#write(name, commit, stored, moment);
    for (const change of commit.reminders) {
      if (change.at === "cancel") this.#removeReminder(name, change.name);
      else this.#setReminder(name, { ...change, agent: copyOfName(commit.agent), attempts: 0 });
    }
    for (const mail of commit.mail) this.#keepMail(mail, commit.agent, moment);
    if (commit.remembered.length > 0) this.#remember(name, commit.remembered, moment);
    this.newestGeneration = Math.max(this.newestGeneration, commit.epoch?.generation ?? 0);
    return { at: "committed", eTag: record?.eTag ?? "", revision: record?.revision ?? 0 };
  }

  settle({ ticks, mail }: Settlements): void {
    for (const { agent, name, seq, nextDueMs, attempts } of ticks) {
      const ofAgent = textOfName(agent);
      const reminder = this.reminders.get(ofAgent)?.get(name);
      if (reminder?.seq !== seq) continue;
      if (nextDueMs === undefined) this.#removeReminder(ofAgent, name);
      else this.#setReminder(ofAgent, { ...reminder, dueMs: nextDueMs, attempts });
    }
    for (const { place, nextMs, attempts } of mail) {
      const kept = this.mail.get(place);
      if (kept === undefined) continue;
      if (nextMs === undefined) this.#removeMail(kept);
      else this.mail.set(place, { ...kept, nextMs, attempts });
    }
  }

  remembered(agent: AgentName, id: string, principal: string, { wallMs }: Moment): RememberedMessage | undefined {
    const all = this.#remembered.get(textOfName(agent)) ?? [];
    const found = all.find((one) => one.id === id && one.principal === principal && isFresh(one, wallMs));
    return found && { id, principal, answer: found.answer && new Uint8Array(found.answer) };
  }

  /** Forgets what is too old; without a timer, when the store is used. */
  expire({ nowMs }: Moment): void {
    const { expireAfterMs } = this.#limits;
    if (expireAfterMs === Number.POSITIVE_INFINITY) return;
    for (const [name, { savedMs }] of this.records) {
      if (savedMs > nowMs - expireAfterMs) return;
      this.#deleteAgent(name);
    }
  }

  /** Refuses a commit beyond a limit. One that adds nothing is never beyond it. */
  #refusal(name: string, commit: Commit, stored: MemoryRecord | undefined): CommitOutcome | undefined {
    const { maxBytes, maxEntries } = this.#limits;
    const reminders = remindersOver(commit, this.reminders.get(name)?.keys() ?? []);
    if (reminders !== undefined) return { at: "refused", limit: reminders };
    const added = addedBytes(name, commit);
    const freed = commit.write.at !== "keep" && stored !== undefined ? sizeOfRecord(name, stored.data) : 0;
    if (added > 0 && this.#bytes - freed + added > maxBytes) {
      return { at: "refused", limit: `${maxBytes} bytes of agent state` };
    }
    if (commit.write.at === "put" && stored === undefined && this.records.size >= maxEntries) {
      return { at: "refused", limit: `${maxEntries} agents with a state` };
    }
    return undefined;
  }

  /** Writes the record; returns the one that is stored then. */
  #write(name: string, commit: Commit, stored: MemoryRecord | undefined, moment: Moment): MemoryRecord | undefined {
    const { agent, write } = commit;
    const epoch = commit.epoch ?? stored?.epoch;
    if (write.at === "delete") return undefined;
    if (write.at === "keep") {
      const kept = stored && { ...stored, epoch };
      if (kept !== undefined) this.records.set(name, kept);
      return kept;
    }
    const { contentType, schemaVersion, data } = write;
    // One literal: an object of several spreads takes more memory.
    const record: MemoryRecord = {
      agent: stored?.agent ?? copyOfName(agent),
      eTag: this.#limits.makeId(),
      revision: (stored?.revision ?? 0) + 1,
      schemaVersion,
      contentType,
      data: new Uint8Array(data),
      savedAtMs: moment.wallMs,
      epoch: copyOfEpoch(epoch),
      savedMs: moment.nowMs,
    };
    this.#removeRecord(name);
    this.records.set(name, record);
    this.#bytes += sizeOfRecord(name, record.data);
    return record;
  }

  #deleteAgent(name: string): void {
    this.#removeRecord(name);
    for (const reminder of [...(this.reminders.get(name)?.keys() ?? [])]) this.#removeReminder(name, reminder);
    for (const one of this.#remembered.get(name) ?? []) this.#bytes -= sizeOfRemembered(name, one);
    this.#remembered.delete(name);
    for (const place of [...(this.#placesOf.get(name) ?? [])]) {
      const mail = this.mail.get(place);
      if (mail !== undefined) this.#removeMail(mail);
    }
  }

  #removeRecord(name: string): void {
    const record = this.records.get(name);
    if (record === undefined) return;
    this.records.delete(name);
    this.#bytes -= sizeOfRecord(name, record.data);
  }

  #setReminder(name: string, reminder: Omit<StoredReminder, "seq">): void {
    this.#removeReminder(name, reminder.name);
    const { agent, dueMs, rule, attempts } = reminder;
    const ofAgent = this.reminders.get(name) ?? new Map<string, StoredReminder>();
    this.reminders.set(name, ofAgent);
    this.#lastSeq += 1;
    const stored = {
      agent,
      name: reminder.name,
      dueMs,
      rule,
      message: new Uint8Array(reminder.message),
      seq: this.#lastSeq,
      attempts,
    };
    ofAgent.set(reminder.name, stored);
    this.#bytes += sizeOfReminder(name, stored);
  }

  #removeReminder(name: string, reminder: string): void {
    const ofAgent = this.reminders.get(name);
    const stored = ofAgent?.get(reminder);
    if (ofAgent === undefined || stored === undefined) return;
    ofAgent.delete(reminder);
    if (ofAgent.size === 0) this.reminders.delete(name);
    this.#bytes -= sizeOfReminder(name, stored);
  }

  #keepMail({ id, receiver, kind, frame }: Commit["mail"][number], sender: AgentName, { wallMs }: Moment): void {
    this.#lastPlace += 1;
    const kept: StoredMail = {
      id,
      kind,
      frame: new Uint8Array(frame),
      receiver: copyOfName(receiver),
      sender: copyOfName(sender),
      place: this.#lastPlace,
      keptAtMs: wallMs,
      attempts: 0,
      nextMs: wallMs,
    };
    this.mail.set(kept.place, kept);
    const name = textOfName(receiver);
    const places = this.#placesOf.get(name) ?? new Set<number>();
    this.#placesOf.set(name, places.add(kept.place));
    this.#bytes += sizeOfMail(kept);
  }

  #removeMail(mail: StoredMail): void {
    this.mail.delete(mail.place);
    const name = textOfName(mail.receiver);
    const places = this.#placesOf.get(name);
    places?.delete(mail.place);
    if (places?.size === 0) this.#placesOf.delete(name);
    this.#bytes -= sizeOfMail(mail);
  }

  /** Answers and ids of mail are bounded apart from each other. */
  #remember(name: string, messages: readonly RememberedMessage[], { wallMs }: Moment): void {
    const before = this.#remembered.get(name) ?? [];
    const byId = new Map(before.filter((one) => isFresh(one, wallMs)).map((one) => [textOfId(one), one]));
    for (const { id, principal, answer } of messages) {
      const one = { id, principal, answer: answer && new Uint8Array(answer), atMs: wallMs };
      // It becomes the newest.
      byId.delete(textOfId(one));
      byId.set(textOfId(one), one);
    }
    const all = [...byId.values()];
    const answers = all.filter(({ answer }) => answer !== undefined).slice(-storeLimits.remembered);
    const ids = all.filter(({ answer }) => answer === undefined).slice(-storeLimits.remembered);
    const kept = [...answers, ...ids];
    this.#remembered.set(name, kept);
    for (const one of before) this.#bytes -= sizeOfRemembered(name, one);
    for (const one of kept) this.#bytes += sizeOfRemembered(name, one);
  }
}

/** Sorts mail and reminders by shard. Undefined: all shards. */
export function inShards(shards: readonly number[] | undefined): (agent: AgentName) => boolean {
  if (shards === undefined) return () => true;
  const wanted = new Set(shards);
  return (agent) => wanted.has(shardOf(agent));
}

/** Orders reminders of one agent by name. */
export function byName(a: StoredReminder, b: StoredReminder): number {
  return compareBytes(a.name, b.name);
}

/** Returns one text for an id of a principal. */
function textOfId({ id, principal }: RememberedMessage): string {
  return `${principal.length}:${principal}${id}`;
}

function isFresh({ atMs }: Remembered, wallMs: number): boolean {
  return atMs > wallMs - storeLimits.rememberedMs;
}

function copyOfName({ type, key }: AgentName): AgentName {
  return { type, key };
}

function copyOfEpoch(epoch: Epoch | undefined): Epoch | undefined {
  return epoch && { generation: epoch.generation, era: epoch.era, number: epoch.number };
}

function addedBytes(name: string, { agent, write, reminders, mail, remembered }: Commit): number {
  let bytes = write.at === "put" ? sizeOfRecord(name, write.data) : 0;
  for (const change of reminders) if (change.at === "set") bytes += sizeOfReminder(name, change);
  for (const one of mail) bytes += sizeOfMail({ ...one, sender: agent });
  for (const one of remembered) bytes += sizeOfRemembered(name, one);
  return bytes;
}

function sizeOfRecord(name: string, data: Uint8Array): number {
  return recordBytes + 2 * name.length + data.length;
}

function sizeOfReminder(
  agent: string,
  { name, rule, message }: Pick<StoredReminder, "name" | "rule" | "message">,
): number {
  return smallEntryBytes + 2 * (agent.length + name.length + rule.length) + message.length;
}

function sizeOfRemembered(agent: string, { id, principal, answer }: RememberedMessage): number {
  return smallEntryBytes + 2 * (agent.length + id.length + principal.length) + (answer?.length ?? 0);
}

function sizeOfMail({ id, receiver, sender, frame }: Pick<StoredMail, "id" | "receiver" | "sender" | "frame">): number {
  const names = id.length + receiver.type.length + receiver.key.length + sender.type.length + sender.key.length;
  return smallEntryBytes + 2 * names + frame.length;
}
