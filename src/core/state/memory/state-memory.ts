import type { MakeId } from "../../clock.ts";
import { type AgentName, shardOf, textOfName } from "../agent-name.ts";
import type { DeadReason, DurableMessage, KeptMessage } from "../durable-log.ts";
import type { Epoch } from "../epoch.ts";
import { type FittingStore, fitMailInSlices, mailOfSlice, sortMail, withLeftMail } from "../fit-mail.ts";
import { judgeCommit, limitOver, remindersOver, withoutMail } from "../judge-commit.ts";
import { judgeRuns } from "../judge-runs.ts";
import {
  type AppendOutcome,
  type FullMail,
  fullMail,
  fullReason,
  type MailBounds,
  mailboxTooSmall,
  mailSize,
} from "../mail-bounds.ts";
import type { Commit, CommitOutcome, Mail, Settlements, StateRecord } from "../state-store.ts";
import { StoreError } from "../store-error.ts";
import { DeadLetters } from "./dead-letters.ts";
import { MemoryMailIds } from "./memory-mail-ids.ts";
import { MemoryMailboxes } from "./memory-mailboxes.ts";
import { MemoryRemembered } from "./memory-remembered.ts";
import { MemoryReminders } from "./memory-reminders.ts";
import { MemoryRuns } from "./memory-runs.ts";
import { addedBytes, mailIdName, sizeOfMail, sizeOfMailId, sizeOfRecord } from "./memory-sizes.ts";

/** Limits of a `StateMemory`. */
export interface StateMemoryLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly mail: MailBounds;
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

/** The data of memory stores, which several stores may share. */
export class StateMemory {
  /** The one that was saved longest ago first. */
  readonly records = new Map<string, MemoryRecord>();
  readonly reminders = new MemoryReminders();
  readonly mailboxes = new MemoryMailboxes();
  readonly mailIds = new MemoryMailIds();
  readonly remembered = new MemoryRemembered();
  readonly runs = new MemoryRuns();
  /** Of the newest opening; 0: never opened. */
  incarnation = 0;
  /** Highest of all openings and epochs. */
  newestGeneration = 0;
  /** Whether the newest opening has not been closed. */
  isHeld = false;
  readonly dead: DeadLetters;
  /** A large commit that is written in slices. Until it is written, nothing reads or writes. */
  writing: Promise<void> | undefined;
  /** Called when mail was written. */
  onMail: () => void = () => undefined;
  readonly #limits: StateMemoryLimits;
  #bytes = 0;
  readonly #fitting: FittingStore;

  constructor(limits: StateMemoryLimits) {
    this.#limits = limits;
    this.#fitting = { bounds: limits.mail, sizesOf: (mailbox) => this.mailboxes.sizesOf(mailbox) };
    this.dead = new DeadLetters(limits.maxBytes / 4);
  }

  /**
   * Writes one commit, or says why not. It yields between slices of a large one. Until it has ended, its caller lets nothing else read or
   * write.
   */
  *commit(given: Commit, moment: Moment): Generator<void, CommitOutcome> {
    const knownMail = yield* this.#knownMail(given, moment);
    const commit = withoutMail(given, knownMail);
    const limit = limitOver(commit, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    if (limit !== undefined) return { at: "refused", limit };
    const name = textOfName(commit.agent);
    const stored = this.records.get(name);
    const refusal = judgeCommit(commit, stored) ?? this.#refusal(name, commit, stored, moment);
    if (refusal !== undefined) return refusal;
    const fit = commit.mail.length === 0 ? allFits : yield* fitMailInSlices(commit.mail, this.#fitting);
    if (fit.at === "refused") return fit;
    const { kept, buried, buriedIndexes } = sortMail(given.mail, knownMail, fit.buried);
    if (commit.write.at === "delete") this.#deleteAgent(name);
    const record = this.#write(name, commit, stored, moment);
    for (const change of commit.reminders) {
      if (change.at === "cancel") this.#bytes += this.reminders.remove(name, change.name);
      else this.#bytes += this.reminders.set(name, { ...change, agent: commit.agent, attempts: 0 });
    }
    for (const [index, mail] of kept.entries()) {
      if (index % mailOfSlice === mailOfSlice - 1) yield;
      if (mail.isOnce === true) {
        this.#bytes += this.mailIds.add(textOfName(mail.receiver), mail.id, moment.nowMs);
      }
      this.#bytes += this.mailboxes.keep(mail, commit.agent, moment.wallMs);
    }
    if (kept.length > 0) this.onMail();
    let forgotten = 0;
    for (const [index, mail] of buried.entries()) {
      if (index % mailOfSlice === mailOfSlice - 1) yield;
      forgotten += this.#buryFull(mail, moment);
    }
    if (commit.runs !== undefined) this.#bytes += this.runs.write(commit, moment.wallMs);
    if (commit.remembered.length > 0) this.#bytes += this.remembered.add(name, commit.remembered, moment.wallMs);
    this.newestGeneration = Math.max(this.newestGeneration, commit.epoch?.generation ?? 0);
    const written = { at: "committed", eTag: record?.eTag ?? "", revision: record?.revision ?? 0 } as const;
    return withLeftMail(written, { known: knownMail, buried: buriedIndexes, forgotten });
  }

  settle({ ticks, mail }: Settlements): void {
    for (const tick of ticks) this.#bytes += this.reminders.settle(textOfName(tick.agent), tick);
    for (const one of mail) this.#bytes += this.mailboxes.settle(one);
  }

  /** Adds a message to a mailbox. Throws a `StoreError` if there is no space. */
  append(mailbox: AgentName, message: DurableMessage, { nowMs }: Moment): AppendOutcome {
    this.#bytes += this.mailIds.forget(nowMs);
    const name = textOfName(mailbox);
    if (this.mailIds.has(name, message.id)) return "known";
    const { frame } = message;
    const tooLong = mailboxTooSmall(frame.length, this.#limits.mail);
    if (tooLong !== undefined) throw new StoreError("too-large", `The message is over the limit of ${tooLong}.`);
    const full = this.#whyFull(mailbox, frame);
    if (full !== undefined) return full;
    const mail = { id: message.id, receiver: mailbox, kind: message.kind, frame };
    const bytes = sizeOfMail({ ...mail, sender: mailbox }) + sizeOfMailId(mailIdName(name, message.id).length);
    if (!this.#hasRoom(bytes, nowMs)) {
      throw new StoreError("full", `This store holds ${this.#limits.maxBytes} bytes and takes no more (maxBytes).`);
    }
    this.#bytes += this.mailIds.add(name, message.id, nowMs);
    this.#bytes += this.mailboxes.keep(mail, mailbox, message.sentAtMs);
    this.onMail();
    return "kept";
  }

  dropMail(place: number): void {
    this.#bytes += this.mailboxes.remove(place);
  }

  /** Makes a dead letter of a message. One with a place that is not in its mailbox any more stays as it is. Returns how many others were forgotten. */
  bury(message: KeptMessage, why: DeadReason, { wallMs }: Moment): number {
    if (message.place !== 0 && this.mailboxes.get(message.place) === undefined) return 0;
    this.#bytes += this.mailboxes.remove(message.place);
    const { bytes, forgotten } = this.dead.add(message, why, wallMs);
    this.#bytes += bytes;
    return forgotten;
  }

  /** Puts dead letters into their mailboxes again. */
  replay(letters: readonly string[], { wallMs }: Moment): number {
    let count = 0;
    for (const letter of letters) {
      const message = this.dead.get(letter);
      if (message === undefined || this.#whyFull(message.mailbox, message.frame) !== undefined) continue;
      this.#bytes -= this.dead.remove(letter);
      const { id, mailbox: receiver, kind, frame } = message;
      this.#bytes += this.mailboxes.keep({ id, receiver, kind, frame }, receiver, wallMs);
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

  /** Forgets what is too old; without a timer, when the store is used. */
  expire({ nowMs, wallMs }: Moment): void {
    const { expireAfterMs } = this.#limits;
    this.#bytes += this.runs.expire(wallMs);
    if (expireAfterMs === Number.POSITIVE_INFINITY) return;
    for (const [name, { savedMs }] of this.records) {
      if (savedMs > nowMs - expireAfterMs) return;
      this.#deleteAgent(name);
    }
  }

  /** Refuses a commit beyond a limit. One that adds nothing is never beyond it. */
  #refusal(
    name: string,
    commit: Commit,
    stored: MemoryRecord | undefined,
    { nowMs }: Moment,
  ): CommitOutcome | undefined {
    const { maxBytes, maxEntries } = this.#limits;
    const reminders = remindersOver(commit, this.reminders.namesOf(name));
    if (reminders !== undefined) return { at: "refused", limit: reminders };
    const runs = judgeRuns(commit, this.runs.before(name));
    if (runs?.at === "conflict") return { at: "conflict", eTag: stored?.eTag, run: runs.run };
    if (runs !== undefined) return { at: "refused", limit: runs.limit };
    const addedToAll = addedBytes(name, commit);
    const freed = commit.write.at !== "keep" && stored !== undefined ? sizeOfRecord(name, stored.data) : 0;
    if (addedToAll > 0 && !this.#hasRoom(addedToAll - freed, nowMs)) {
      return { at: "refused", limit: `${maxBytes} bytes of agent state` };
    }
    if (commit.write.at === "put" && stored === undefined && this.records.size >= maxEntries) {
      return { at: "refused", limit: `${maxEntries} agents with a state` };
    }
    return undefined;
  }

  /** Returns the indexes of mail that its mailbox was given before. */
  *#knownMail({ mail }: Commit, { nowMs }: Moment): Generator<void, readonly number[]> {
    if (!mail.some(({ isOnce }) => isOnce === true)) return noMail;
    this.#bytes += this.mailIds.forget(nowMs);
    const known: number[] = [];
    for (const [index, { isOnce, receiver, id }] of mail.entries()) {
      if (index % mailOfSlice === mailOfSlice - 1) yield;
      if (isOnce === true && this.mailIds.has(textOfName(receiver), id)) known.push(index);
    }
    return known;
  }

  /** Makes space if need be: ids of messages that mailboxes were given are worth less than what is stored. */
  #hasRoom(bytes: number, nowMs: number): boolean {
    const missing = this.#bytes + bytes - this.#limits.maxBytes;
    if (missing > 0) this.#bytes += this.mailIds.forget(nowMs, missing);
    return this.#bytes + bytes <= this.#limits.maxBytes;
  }

  #whyFull(mailbox: AgentName, frame: Uint8Array): FullMail | undefined {
    const bytes = mailSize(frame.length);
    const added = { messages: 1, mailboxBytes: bytes, typeBytes: bytes, bytes };
    return fullMail(this.mailboxes.sizesOf(mailbox), added, this.#limits.mail);
  }

  /** Returns how many other letters were forgotten. */
  #buryFull({ id, receiver, kind, frame }: Mail, { wallMs }: Moment): number {
    // Only messages may be buried.
    if (kind === "emptied") return 0;
    const message = { id, kind, frame, sentAtMs: wallMs, mailbox: receiver, place: 0, priorTakeovers: 0 };
    const { bytes, forgotten } = this.dead.add(message, fullReason(receiver), wallMs);
    this.#bytes += bytes;
    return forgotten;
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
    this.#bytes += this.reminders.removeAll(name);
    this.#bytes += this.runs.removeAll(name);
    this.#bytes += this.remembered.removeAll(name);
    this.#bytes += this.mailboxes.removeAll(name);
  }

  #removeRecord(name: string): void {
    const record = this.records.get(name);
    if (record === undefined) return;
    this.records.delete(name);
    this.#bytes -= sizeOfRecord(name, record.data);
  }
}

const noMail: readonly number[] = [];
const allFits = { at: "fits", buried: noMail } as const;

/** Sorts mail and reminders by shard. Undefined: all shards. */
export function inShards(shards: readonly number[] | undefined): (agent: AgentName) => boolean {
  if (shards === undefined) return () => true;
  const wanted = new Set(shards);
  return (agent) => wanted.has(shardOf(agent));
}

function copyOfName({ type, key }: AgentName): AgentName {
  return { type, key };
}

function copyOfEpoch(epoch: Epoch | undefined): Epoch | undefined {
  return epoch && { generation: epoch.generation, era: epoch.era, number: epoch.number };
}
