// Over 400 lines: the tables of the memory, which each commit reads and writes together.
import type { MakeId } from "../clock.ts";
import { RisingNumbers } from "../collections/rising-numbers.ts";
import { type Due, DueHeap } from "../delivery/calls/due-heap.ts";
import { type AgentName, compareBytes, shardOf, textOfName } from "./agent-name.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { DeadReason, DurableMessage, KeptMessage } from "./durable-log.ts";
import type { Epoch } from "./epoch.ts";
import { judgeCommit, limitOver, remindersOver } from "./judge-commit.ts";
import {
  addedBytes,
  sizeOfMail,
  sizeOfMailId,
  sizeOfRecord,
  sizeOfRemembered,
  sizeOfReminder,
} from "./memory-sizes.ts";
import type {
  Commit,
  CommitOutcome,
  RememberedMessage,
  Settlements,
  StateRecord,
  StoredMail,
  StoredReminder,
} from "./state-store.ts";
import { StoreError } from "./store-error.ts";
import { storeLimits } from "./store-limits.ts";
import type { MailPageQuery } from "./store-log.ts";

/** Limits of a `StateMemory`. */
export interface StateMemoryLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly maxMailboxMessages: number;
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

/** A reminder in memory. */
export interface MemoryReminder extends StoredReminder, Due {}

interface Remembered extends RememberedMessage {
  readonly atMs: number;
}

/** The data of memory stores, which several stores may share. */
export class StateMemory {
  /** The one that was saved longest ago first. */
  readonly records = new Map<string, MemoryRecord>();
  /** By agent, then by name. */
  readonly reminders = new Map<string, Map<string, MemoryReminder>>();
  /** The same ones, those that are due next first. */
  readonly due = new DueHeap<MemoryReminder>();
  /** By place; the oldest first. */
  readonly mail = new Map<number, StoredMail>();
  /** Of the newest opening; 0: never opened. */
  incarnation = 0;
  /** Highest of all openings and epochs. */
  newestGeneration = 0;
  /** Whether the newest opening has not been closed. */
  isHeld = false;
  readonly dead = new DeadLetters();
  /** Called when mail was written. */
  onMail: () => void = () => undefined;
  readonly #places = new RisingNumbers((place) => this.mail.has(place));
  /** Places of mail by its receiver. */
  readonly #placesOf = new Map<string, Set<number>>();
  /** When the ids came that mailboxes were given; the oldest first. */
  readonly #mailIds = new Map<string, number>();
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
    for (const mail of commit.mail) this.#keepMail(mail, commit.agent, moment.wallMs);
    if (commit.mail.length > 0) this.onMail();
    if (commit.remembered.length > 0) this.#remember(name, commit.remembered, moment);
    this.newestGeneration = Math.max(this.newestGeneration, commit.epoch?.generation ?? 0);
    return { at: "committed", eTag: record?.eTag ?? "", revision: record?.revision ?? 0 };
  }

  settle({ ticks, mail }: Settlements): void {
    for (const { agent, name, seq, nextDueMs, attempts, rule } of ticks) {
      const ofAgent = textOfName(agent);
      const reminder = this.reminders.get(ofAgent)?.get(name);
      if (reminder?.seq !== seq) continue;
      if (nextDueMs === undefined) this.#removeReminder(ofAgent, name);
      else this.#setReminder(ofAgent, { ...reminder, dueMs: nextDueMs, attempts, rule: rule ?? reminder.rule });
    }
    for (const { place, nextMs, attempts } of mail) {
      const kept = this.mail.get(place);
      if (kept === undefined) continue;
      if (nextMs === undefined) this.#removeMail(kept);
      else this.mail.set(place, { ...kept, nextMs, attempts });
    }
  }

  /** Adds a message to a mailbox. Throws a `StoreError` if there is no space. */
  append(mailbox: AgentName, message: DurableMessage, { wallMs }: Moment): "kept" | "known" | "full" {
    this.#forgetMailIds(wallMs);
    const name = textOfName(mailbox);
    const id = `${name}${message.id}`;
    if (this.#mailIds.has(id)) return "known";
    if (this.#mailboxIsFull(name, 1)) return "full";
    const mail = { id: message.id, receiver: mailbox, kind: message.kind, frame: message.frame };
    const bytes = sizeOfMail({ ...mail, sender: mailbox }) + sizeOfMailId(id);
    if (this.#bytes + bytes > this.#limits.maxBytes) {
      throw new StoreError("full", `This store holds ${this.#limits.maxBytes} bytes and takes no more (maxBytes).`);
    }
    this.#mailIds.set(id, wallMs);
    this.#bytes += sizeOfMailId(id);
    this.#keepMail(mail, mailbox, message.sentAtMs);
    this.onMail();
    return "kept";
  }

  /** Reads a page of mail. */
  readMail({ mailbox, after, limit, maxBytes }: MailPageQuery): readonly StoredMail[] {
    const found: StoredMail[] = [];
    const places = mailbox === undefined ? this.#places.above(after) : (this.#placesOf.get(textOfName(mailbox)) ?? []);
    let bytes = 0;
    for (const place of places) {
      const mail = place > after ? this.mail.get(place) : undefined;
      if (mail === undefined) continue;
      bytes += mail.frame.length;
      if (found.length > 0 && (found.length >= limit || bytes > maxBytes)) break;
      found.push({ ...mail, frame: new Uint8Array(mail.frame) });
    }
    return found;
  }

  dropMail(place: number): void {
    const mail = this.mail.get(place);
    if (mail !== undefined) this.#removeMail(mail);
  }

  /** Makes a dead letter of a message. One with a place that is not in its mailbox any more stays as it is. */
  bury(message: KeptMessage, why: DeadReason, { wallMs }: Moment): void {
    const mail = this.mail.get(message.place);
    if (message.place !== 0 && mail === undefined) return;
    if (mail !== undefined) this.#removeMail(mail);
    for (const bytes of this.dead.forget(wallMs - storeLimits.deadLetterMs)) this.#bytes -= bytes;
    this.#bytes += this.dead.add(message, why, wallMs);
  }

  /** Puts dead letters into their mailboxes again. */
  replay(letters: readonly string[], { wallMs }: Moment): number {
    let count = 0;
    for (const letter of letters) {
      const message = this.dead.get(letter);
      if (message === undefined || this.#mailboxIsFull(textOfName(message.mailbox), 1)) continue;
      this.#bytes -= this.dead.remove(letter);
      const { id, mailbox: receiver, kind, frame } = message;
      this.#keepMail({ id, receiver, kind, frame }, receiver, wallMs);
      count += 1;
    }
    if (count > 0) this.onMail();
    return count;
  }

  /** Drops dead letters. */
  drop(letters: readonly string[]): number {
    const known = letters.filter((letter) => this.dead.get(letter) !== undefined);
    for (const letter of known) this.#bytes -= this.dead.remove(letter);
    return known.length;
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
    const addedToAll = addedBytes(name, commit);
    const freed = commit.write.at !== "keep" && stored !== undefined ? sizeOfRecord(name, stored.data) : 0;
    if (addedToAll > 0 && this.#bytes - freed + addedToAll > maxBytes) {
      return { at: "refused", limit: `${maxBytes} bytes of agent state` };
    }
    if (commit.write.at === "put" && stored === undefined && this.records.size >= maxEntries) {
      return { at: "refused", limit: `${maxEntries} agents with a state` };
    }
    const added = new Map<string, number>();
    for (const { receiver } of commit.mail) {
      const text = textOfName(receiver);
      added.set(text, (added.get(text) ?? 0) + 1);
    }
    for (const [mailbox, count] of added) {
      if (this.#mailboxIsFull(mailbox, count)) return { at: "refused", limit: this.#mailboxLimit };
    }
    return undefined;
  }

  get #mailboxLimit(): string {
    return `${this.#limits.maxMailboxMessages} messages of one mailbox`;
  }

  #mailboxIsFull(mailbox: string, added: number): boolean {
    return (this.#placesOf.get(mailbox)?.size ?? 0) + added > this.#limits.maxMailboxMessages;
  }

  #forgetMailIds(wallMs: number): void {
    for (const [id, atMs] of this.#mailIds) {
      if (atMs > wallMs - storeLimits.mailIdMs) return;
      this.#mailIds.delete(id);
      this.#bytes -= sizeOfMailId(id);
    }
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
    const ofAgent = this.reminders.get(name) ?? new Map<string, MemoryReminder>();
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
      dueOrder: this.#lastSeq,
      duePlace: -1,
    };
    ofAgent.set(reminder.name, stored);
    this.due.add(stored);
    this.#bytes += sizeOfReminder(name, stored);
  }

  #removeReminder(name: string, reminder: string): void {
    const ofAgent = this.reminders.get(name);
    const stored = ofAgent?.get(reminder);
    if (ofAgent === undefined || stored === undefined) return;
    ofAgent.delete(reminder);
    this.due.remove(stored);
    if (ofAgent.size === 0) this.reminders.delete(name);
    this.#bytes -= sizeOfReminder(name, stored);
  }

  #keepMail({ id, receiver, kind, frame }: Commit["mail"][number], sender: AgentName, atMs: number): void {
    this.#lastPlace += 1;
    const kept: StoredMail = {
      id,
      kind,
      frame: new Uint8Array(frame),
      receiver: copyOfName(receiver),
      sender: copyOfName(sender),
      place: this.#lastPlace,
      keptAtMs: atMs,
      attempts: 0,
      nextMs: atMs,
    };
    this.mail.set(kept.place, kept);
    this.#places.add(kept.place);
    const name = textOfName(receiver);
    const places = this.#placesOf.get(name) ?? new Set<number>();
    this.#placesOf.set(name, places.add(kept.place));
    this.#bytes += sizeOfMail(kept);
  }

  #removeMail(mail: StoredMail): void {
    this.mail.delete(mail.place);
    this.#places.deleted();
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
