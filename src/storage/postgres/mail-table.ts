import {
  type AgentName,
  type AppendOutcome,
  type DeadReason,
  type DurableMessage,
  type KeptMessage,
  letterSize,
  type MailBounds,
  type MailTable,
  mailboxTooSmall,
  StoreError,
  storeLimits,
} from "../../core/internal.ts";
import { bytesOfTexts, entryBytes } from "../waiting-bytes.ts";
import { idOfAgent, idOfMail, idOfType } from "./agent-id.ts";
import { ByteList, type EncodedWrite, encodeName, encodeSettlements, mostMail, toWhole } from "./encode-writes.ts";
import { isLetter, type LogReads } from "./log-reads.ts";
import type { Read } from "./table-reads.ts";

/** The parts of the table of mail. */
export interface MailTableParts {
  readonly reads: LogReads;
  readonly nowMs: () => number;
  readonly bounds: MailBounds;
  readonly maxValueBytes: number;
  readonly unswept: UnsweptLetters;
  readonly read: <T>(read: Read<T>) => Promise<T>;
  /** Calls `encode` at once, and writes what it returns in groups with all other writes. `bytes`: about how many wait. */
  readonly write: (bytes: number, encode: () => readonly EncodedWrite[]) => Promise<readonly unknown[]>;
  /** Has the readers read what a write may have left. */
  readonly wakeAfter: <T>(written: Promise<T>) => Promise<T>;
}

/** Bytes of a write beside its texts and its frame. */
const writeBytes = 300;
/** Dead letters that one write moves or drops. */
const lettersOfWrite = 64;
/** Bytes of dead letters after which their bound is looked at again. */
const sweepBytes = storeLimits.deadLettersBytes / 16;

/** The bytes of dead letters that were added since their bound was looked at. */
export class UnsweptLetters {
  #bytes = Number.POSITIVE_INFINITY;

  /** Adds letters. Returns whether the bound is to be looked at now. */
  add(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes <= sweepBytes) return false;
    this.#bytes = 0;
    return true;
  }
}

/** Looks at the bound of all dead letters. */
export function encodeSweep(): EncodedWrite {
  return { ...ofMail, fields: { letters: "sweep", sweep: storeLimits.deadLettersBytes }, bytes: noBytes };
}

/** Creates the tables of a log: writes go in the groups of the store, and reads are bounded in bytes. */
export function createMailTable(parts: MailTableParts): MailTable {
  const { reads, nowMs, bounds, read, write, wakeAfter } = parts;
  return {
    readMail: (query) => read(reads.mailPage(query)),
    append: async (mailbox, message) => {
      assertSize(message, parts.maxValueBytes);
      const tooLong = mailboxTooSmall(message.frame.length, bounds);
      if (tooLong !== undefined) throw new StoreError("too-large", `The message is over the limit of ${tooLong}.`);
      const encode = () => [encodeAppend(mailbox, message, { nowMs: nowMs(), bounds })];
      const [outcome] = await wakeAfter(write(sizeOf(mailbox, message), encode));
      // One of the outcomes of the function.
      return outcome as AppendOutcome;
    },
    dropMail: async (place) => {
      const mail = [{ place, nextMs: undefined, attempts: 0 }];
      await write(writeBytes, () => [encodeSettlements({ ticks: [], mail })]);
    },
    bury: async (message, why) => {
      const isSweep = parts.unswept.add(letterSize(message.frame.length));
      const encode = () => [encodeBurial(message, why, { nowMs: nowMs(), isSweep })];
      return sumOf(await write(sizeOf(message.mailbox, message) + bytesOfTexts(why.text), encode));
    },
    deadLetters: (query) => read(reads.deadLetters(query, nowMs())),
    replay: async (letters) => {
      const fields = { letters: "replay", now: toWhole(nowMs()), most: mostMail(bounds) };
      return sumOf(await wakeAfter(write(sizeOfLetters(letters), () => encodeLetters(letters, fields))));
    },
    drop: async (letters) =>
      sumOf(await write(sizeOfLetters(letters), () => encodeLetters(letters, { letters: "drop" }))),
  };
}

interface AppendMoment {
  readonly nowMs: number;
  readonly bounds: MailBounds;
}

function encodeAppend(mailbox: AgentName, message: DurableMessage, moment: AppendMoment): EncodedWrite {
  const bytes = new ByteList();
  const agent = idOfAgent(mailbox);
  const fields = {
    ...{ append: agent, message: idOfMail(mailbox, message.id), typeId: idOfType(mailbox.type) },
    most: mostMail(moment.bounds),
    ...{ now: toWhole(moment.nowMs), forget: toWhole(moment.nowMs - storeLimits.mailIdMs) },
    ...encodeMessage(mailbox, message, bytes),
  };
  return { ...ofMail, agents: [agent], fields, bytes: bytes.joined() };
}

/** A message that has a place is moved with all that is stored of it. */
function encodeBurial(
  message: KeptMessage,
  why: DeadReason,
  { nowMs, isSweep }: { readonly nowMs: number; readonly isSweep: boolean },
): EncodedWrite {
  const { mailbox, place } = message;
  const bytes = new ByteList();
  const fields = {
    ...{ letters: "bury", place, code: why.code, reason: bytes.add(why.text), attempts: why.attempts },
    ...{ now: toWhole(nowMs), forget: toWhole(nowMs - storeLimits.deadLetterMs) },
    ...(isSweep ? { sweep: storeLimits.deadLettersBytes } : {}),
    ...(place === 0 ? { receiver: idOfAgent(mailbox), ...encodeMessage(mailbox, message, bytes) } : {}),
  };
  return { ...ofMail, fields, bytes: bytes.joined() };
}

function encodeMessage(mailbox: AgentName, { id, kind, frame, sentAtMs }: DurableMessage, bytes: ByteList): object {
  return {
    ...{ kind, sent: toWhole(sentAtMs), id: bytes.add(id), frame: bytes.add(frame) },
    ...encodeName(mailbox, bytes),
  };
}

/** Several writes, so that none is long. */
function encodeLetters(letters: readonly string[], fields: object): readonly EncodedWrite[] {
  const known = letters.filter(isLetter);
  const writes: EncodedWrite[] = [];
  for (let from = 0; from < known.length; from += lettersOfWrite) {
    const of = known.slice(from, from + lettersOfWrite);
    writes.push({ ...ofMail, fields: { ...fields, of }, bytes: noBytes });
  }
  return writes;
}

const noBytes = Buffer.alloc(0);
/** Fields that most writes of the log share. */
const ofMail = { agents: [], touchesMail: true, generation: 0 } as const;

function sumOf(counts: readonly unknown[]): number {
  return counts.reduce((sum: number, count) => sum + Number(count), 0);
}

function assertSize({ frame }: DurableMessage, maxValueBytes: number): void {
  if (frame.length <= maxValueBytes) return;
  throw new StoreError("full", `A message of ${frame.length} bytes is longer than maxValueBytes (${maxValueBytes}).`);
}

function sizeOf({ type, key }: AgentName, { id, frame }: DurableMessage): number {
  return writeBytes + bytesOfTexts(type, key, id) + frame.length;
}

function sizeOfLetters(letters: readonly string[]): number {
  return letters.reduce((sum, letter) => sum + entryBytes + bytesOfTexts(letter), writeBytes);
}
