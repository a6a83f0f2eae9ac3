import {
  type Clock,
  type DeadLetter,
  type DeadQuery,
  type DeadReason,
  type KeptMessage,
  storeLimits,
} from "../../core/internal.ts";
import { type Fields, isCount, isFields } from "../api-answer.ts";
import type { MsgHdrs } from "../driver.ts";
import { readLetter, type StreamMessage, writeLetterHeaders } from "./mail-headers.ts";
import type { MailStreams } from "./mail-streams.ts";
import type { StreamAsks } from "./stream-asks.ts";

/** The parts of `DeadLetters`. */
export interface DeadLettersParts {
  readonly asks: StreamAsks;
  readonly streams: MailStreams;
  readonly clock: Clock;
  readonly createHeaders: () => MsgHdrs;
  readonly makeMsgId: () => string;
  /** Bytes of all letters. */
  readonly maxBytes: number;
}

interface StreamInfo {
  readonly state: { readonly bytes: number };
}

function hasBytes({ state }: Fields): boolean {
  return isFields(state) && isCount(state.bytes);
}

/** One page of dead letters. */
export interface LetterPage {
  readonly letters: readonly DeadLetter[];
  readonly isLast: boolean;
}

interface OfType {
  bytes: number;
  /** The oldest first. */
  readonly letters: { readonly place: number; readonly bytes: number }[];
}

/** Bytes of a letter in the stream beside its message, about. */
const letterBytes = 500;

/** The dead letters of a cluster, in a stream of their own. A letter is named by its place there. */
export class DeadLetters {
  readonly #parts: DeadLettersParts;
  /** Bytes that were added since it was last looked how many there are. Others may add some, too. */
  #addedBytes = Number.POSITIVE_INFINITY;
  #looking: Promise<number> | undefined;

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
  }

  /** Keeps a letter; one of a place in a mailbox is kept once. Resolves to the number of letters that were forgotten for it. */
  async add(message: KeptMessage, why: DeadReason): Promise<number> {
    const { asks, streams, clock, createHeaders, makeMsgId, maxBytes } = this.#parts;
    const headers = createHeaders();
    const msgId = message.place > 0 ? `dead-${message.place}` : makeMsgId();
    writeLetterHeaders(headers, msgId, message, why, clock.wallNow());
    await asks.publish(streams.deadSubject(message.mailbox), message.frame, headers);
    this.#addedBytes += message.frame.length + letterBytes;
    if (this.#addedBytes < maxBytes / 16) return 0;
    this.#looking ??= this.#forgetOldest().finally(() => {
      this.#looking = undefined;
    });
    return await this.#looking;
  }

  async page({ mailbox, after, letter, limit, maxBytes = Number.POSITIVE_INFINITY }: DeadQuery): Promise<LetterPage> {
    if (letter !== undefined) {
      const found = await this.get(letter);
      return { letters: found === undefined ? [] : [found], isLast: true };
    }
    const { streams } = this.#parts;
    const subject = mailbox === undefined ? streams.allDead : streams.deadSubject(mailbox);
    const letters: DeadLetter[] = [];
    let bytes = 0;
    for await (const message of this.#all(subject, placeIn(after) + 1)) {
      const found = readLetter(message);
      if (found === undefined) continue;
      bytes += found.frame.length;
      if (letters.length > 0 && (letters.length >= limit || bytes > maxBytes)) return { letters, isLast: false };
      letters.push(found);
    }
    return { letters, isLast: true };
  }

  /** Reads one letter. Undefined: the log does not have it. */
  async get(letter: string): Promise<DeadLetter | undefined> {
    const { asks, streams } = this.#parts;
    const place = placeIn(letter);
    const found = place > 0 ? await asks.at(streams.dead.stream, place) : undefined;
    return found && readLetter(found);
  }

  /** Drops a letter. Resolves to whether it was there. */
  async remove(letter: string): Promise<boolean> {
    const place = placeIn(letter);
    return place > 0 && (await this.#parts.asks.remove(this.#parts.streams.dead.stream, place));
  }

  async *#all(subject: string, from: number): AsyncGenerator<StreamMessage, void, undefined> {
    const { asks, streams } = this.#parts;
    for (let place = from; ; ) {
      const message = await asks.next(streams.dead.stream, subject, place);
      if (message === undefined) return;
      yield message;
      place = message.place + 1;
    }
  }

  /** Forgets the oldest letters of the types that have the most, if all have too many bytes. */
  async #forgetOldest(): Promise<number> {
    const { asks, streams, maxBytes } = this.#parts;
    const { stream } = streams.dead;
    const info = await asks.ask<StreamInfo>(`STREAM.INFO.${stream}`, undefined, hasBytes);
    this.#addedBytes = 0;
    if (!("value" in info) || info.value.state.bytes <= maxBytes) return 0;
    const types = new Map<string, OfType>();
    let bytes = 0;
    for await (const message of this.#all(streams.allDead, 1)) {
      const found = readLetter(message);
      if (found === undefined) continue;
      const ofType: OfType = types.get(found.mailbox.type) ?? { bytes: 0, letters: [] };
      const size = found.frame.length + letterBytes;
      ofType.bytes += size;
      bytes += size;
      ofType.letters.push({ place: message.place, bytes: size });
      types.set(found.mailbox.type, ofType);
    }
    let forgotten = 0;
    // Half of a sixteenth more goes, so that not every letter has it looked.
    while (bytes > maxBytes - storeLimits.deadLettersBytes / 32) {
      const [most] = [...types.values()].sort((one, other) => other.bytes - one.bytes);
      const oldest = most?.letters.shift();
      if (most === undefined || oldest === undefined) break;
      most.bytes -= oldest.bytes;
      bytes -= oldest.bytes;
      if (await asks.remove(stream, oldest.place)) forgotten += 1;
    }
    return forgotten;
  }
}

function placeIn(letter: string | undefined): number {
  const place = Number(letter ?? 0);
  return Number.isSafeInteger(place) && place > 0 ? place : 0;
}
