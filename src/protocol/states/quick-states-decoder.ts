import type { AgentName, CommitOutcome, Epoch, Expected, StateWrite } from "../../core/internal.ts";
import { isTextAt, nameAt, RawReader, textAt, WireType } from "../frames/raw-reader.ts";
import { commitResult } from "./quick-states-encoder.ts";
import type { CommitAsk, CommittedAnswer, LoadAsk, LoadedAnswer } from "./states-messages.ts";

/** Thrown and caught in this file: the generated code must decode these bytes. */
const odd = new Error("not in the form of our encoder");

/** Decodes a load or a commit in the form that our encoder writes. Undefined for anything else. */
export function decodeAskQuickly(bytes: Uint8Array): LoadAsk | CommitAsk | undefined {
  return readQuickly(bytes, readLoad, readCommit);
}

/** Decodes what was loaded, or the outcome of a commit, in the form that our encoder writes. Undefined for anything else. */
export function decodeAnswerQuickly(bytes: Uint8Array): LoadedAnswer | CommittedAnswer | undefined {
  return readQuickly(bytes, readLoaded, readCommitted);
}

function readQuickly<T, U>(
  bytes: Uint8Array,
  readFirst: (reader: FieldReader) => T,
  readSecond: (reader: FieldReader) => U,
): T | U | undefined {
  const raw = new RawReader(bytes, 0, bytes.length);
  const tag = raw.number();
  if ((tag !== 0x0a && tag !== 0x12) || raw.length() !== bytes.length) return undefined;
  try {
    return tag === 0x0a ? readFirst(new FieldReader(raw)) : readSecond(new FieldReader(raw));
  } catch (error) {
    if (error === odd) return undefined;
    throw error;
  }
}

/** Reads the fields of a message in rising order. Throws `odd` at anything that our encoder does not write. */
class FieldReader {
  readonly #raw: RawReader;
  #before = 0;

  constructor(raw: RawReader) {
    this.#raw = raw;
  }

  /** Returns the tag of the next field; 0: the message is over. A field that `repeats` may follow itself. */
  next(repeats: (field: number) => boolean = never): number {
    if (this.#raw.atEnd) return 0;
    const tag = this.#raw.tag();
    if (tag < this.#before || (tag === this.#before && !repeats(tag >>> 3))) throw odd;
    this.#before = tag;
    return tag;
  }

  number(): number {
    const raw = this.#raw;
    let value = 0;
    for (let factor = 1; !raw.atEnd && factor <= 2 ** 49; factor *= 0x80) {
      const byte = raw.bytes[raw.position++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw odd;
        return value;
      }
    }
    throw odd;
  }

  /** Reads a flag that is set. */
  flag(): true {
    if (this.number() !== 1) throw odd;
    return true;
  }

  text(): string {
    const [start, end] = this.#span();
    if (!isTextAt(this.#raw.bytes, start, end)) throw odd;
    return textAt(this.#raw.bytes, start, end);
  }

  /** Reads a text that messages repeat. */
  name(): string {
    const [start, end] = this.#span();
    if (!isTextAt(this.#raw.bytes, start, end)) throw odd;
    return nameAt(this.#raw.bytes, start, end);
  }

  /** Reads bytes as a view. */
  view(): Uint8Array {
    const [start, end] = this.#span();
    return this.#raw.bytes.subarray(start, end);
  }

  message<T>(read: (reader: FieldReader) => T): T {
    const raw = this.#raw;
    const outerEnd = raw.end;
    const end = raw.length();
    if (end < 0) throw odd;
    raw.end = end;
    const value = read(new FieldReader(raw));
    raw.end = outerEnd;
    return value;
  }

  #span(): [start: number, end: number] {
    const end = this.#raw.length();
    if (end < 0) throw odd;
    const start = this.#raw.position;
    this.#raw.position = end;
    return [start, end];
  }
}

const never = (): boolean => false;
const bytesTag = (field: number): number => (field << 3) | WireType.bytes;
const numberTag = (field: number): number => (field << 3) | WireType.varint;

function readLoad(reader: FieldReader): LoadAsk {
  let seq = 0;
  let agent: AgentName | undefined;
  let epoch: Epoch | undefined;
  let unless: string | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === numberTag(1)) seq = reader.number();
    else if (tag === bytesTag(2)) agent = reader.message(readAgent);
    else if (tag === bytesTag(3)) epoch = reader.message(readEpoch);
    else if (tag === bytesTag(4)) unless = reader.text();
    else throw odd;
  }
  if (agent === undefined) throw odd;
  return { kind: "load", seq, agent, epoch, unless };
}

const repeatsInCommit = (field: number): boolean => field === 8 || field === 9;

function readCommit(reader: FieldReader): CommitAsk {
  let seq = 0;
  let agent: AgentName | undefined;
  let epoch: Epoch | undefined;
  let expected: Expected = { at: "nothing" };
  let write: StateWrite | undefined;
  const answers: Uint8Array[] = [];
  const events: Uint8Array[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next(repeatsInCommit)) {
    if (tag === numberTag(1)) seq = reader.number();
    else if (tag === bytesTag(2)) agent = reader.message(readAgent);
    else if (tag === bytesTag(3)) epoch = reader.message(readEpoch);
    else if (tag === bytesTag(4)) expected = { at: "version", eTag: reader.text() };
    else if (tag === bytesTag(8)) answers.push(reader.view());
    else if (tag === bytesTag(9)) events.push(reader.view());
    else if (write === undefined && tag === bytesTag(5)) write = reader.message(readPut);
    else if (write === undefined && tag === numberTag(6)) write = { at: reader.flag() && "delete" };
    else if (write === undefined && tag === numberTag(7)) write = { at: reader.flag() && "keep" };
    else if (tag === numberTag(14) && expected.at === "nothing") expected = { at: reader.flag() && "anything" };
    else throw odd;
  }
  if (agent === undefined || write === undefined || (expected.at === "version" && expected.eTag === "")) throw odd;
  const more = { mail: [], reminders: [], remembered: [], runs: [] };
  return { kind: "commit", seq, agent, epoch, expected, write, answers, events, ...more };
}

function readLoaded(reader: FieldReader): LoadedAnswer {
  let [seq, schemaVersion, revision, savedAtMs] = [0, 0, 0, 0];
  let [eTag, contentType] = ["", ""];
  let data: Uint8Array = noBytes;
  let epoch: Epoch | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === numberTag(1)) seq = reader.number();
    else if (tag === numberTag(2)) return lastFlag(reader, { kind: "loaded", seq, outcome: { at: "unchanged" } });
    else if (tag === bytesTag(3)) eTag = reader.text();
    else if (tag === numberTag(4)) schemaVersion = reader.number();
    else if (tag === bytesTag(5)) contentType = reader.name();
    else if (tag === bytesTag(6)) data = reader.view();
    else if (tag === numberTag(8)) revision = reader.number();
    else if (tag === numberTag(9)) savedAtMs = reader.number();
    else if (tag === bytesTag(10)) epoch = reader.message(readEpoch);
    else throw odd;
  }
  if (eTag === "") return { kind: "loaded", seq, outcome: { at: "nothing" } };
  const record = { eTag, revision, schemaVersion, contentType, data, savedAtMs, epoch };
  return { kind: "loaded", seq, outcome: { at: "record", record } };
}

function lastFlag(reader: FieldReader, answer: LoadedAnswer): LoadedAnswer {
  if (reader.flag() && reader.next() !== 0) throw odd;
  return answer;
}

function readCommitted(reader: FieldReader): CommittedAnswer {
  let [seq, result, revision] = [0, 0, 0];
  let eTag: string | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === numberTag(1)) seq = reader.number();
    else if (tag === numberTag(2)) result = reader.number();
    else if (tag === bytesTag(3)) eTag = reader.text();
    else if (tag === numberTag(5)) revision = reader.number();
    else throw odd;
  }
  const outcome = quickOutcome(result, eTag, revision);
  return { kind: "committed", seq, outcome };
}

function quickOutcome(result: number, eTag: string | undefined, revision: number): CommitOutcome {
  if (result === commitResult.committed) return { at: "committed", eTag: eTag ?? "", revision };
  if (result === commitResult.conflict) return { at: "conflict", eTag };
  throw odd;
}

function readAgent(reader: FieldReader): AgentName {
  let [type, key] = ["", ""];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === bytesTag(1)) type = reader.name();
    else if (tag === bytesTag(2)) key = reader.name();
    else throw odd;
  }
  return { type, key };
}

function readEpoch(reader: FieldReader): Epoch {
  let [generation, era, number] = [0, 0, 0];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === numberTag(1)) generation = reader.number();
    else if (tag === numberTag(2)) era = reader.number();
    else if (tag === numberTag(3)) number = reader.number();
    else throw odd;
  }
  if (era > 0xffff_ffff) throw odd;
  return { generation, era, number };
}

function readPut(reader: FieldReader): StateWrite {
  let schemaVersion = 0;
  let contentType = "";
  let data: Uint8Array = noBytes;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    if (tag === numberTag(1)) schemaVersion = reader.number();
    else if (tag === bytesTag(2)) contentType = reader.name();
    else if (tag === bytesTag(3)) data = reader.view();
    else throw odd;
  }
  if (schemaVersion > 0xffff_ffff) throw odd;
  return { at: "put", schemaVersion, contentType, data };
}

const noBytes = new Uint8Array(0);
