import type { Clock } from "../../core/internal.ts";
import { decodeFrame, type WirePayload } from "../../protocol/internal.ts";
import type { HostOccurrence, Observers, PayloadNotes } from "../observer.ts";

/** The content of a message, as an operator watches it. */
export interface ShownPayload {
  readonly messageType: string;
  readonly contentType: string;
  /** Bytes of all of it. */
  readonly bytes: number;
  /** The beginning of its text. Null: it is neither JSON nor text. */
  readonly text: string | null;
}

/** Bounds of what is read and kept for operators. They are no options, because no user has needed another value yet. */
export const payloadLimits = {
  /** Bytes of a message that are shown. */
  shownBytes: 4 * 1024,
  /** Bytes of the calls under way whose content is kept. Beyond it the oldest are forgotten. */
  keptBytes: 2 * 1024 * 1024,
  /** Messages of one second that are read, so that a busy host pays for no more. */
  perSecond: 500,
} as const;

/** Memory of a kept content beside its texts. */
const fixedBytes = 400;

/**
 * Reads the content of calls and events while an operator watches it, within bounds of time and of bytes. It keeps that of a call until its outcome.
 * Without an operator who watches, nothing is read and nothing kept.
 */
export class MessagePayloads implements PayloadNotes {
  readonly #observers: Observers;
  readonly #clock: Clock;
  readonly #ofCalls = new Map<object, ShownPayload>();
  #keptBytes = 0;
  /** An occurrence is forgotten with its readers. */
  #ofOccurrences = new WeakMap<HostOccurrence, ShownPayload>();
  #watchers = 0;
  #secondSinceMs = 0;
  #readInSecond = 0;

  constructor(observers: Observers, clock: Clock) {
    this.#observers = observers;
    this.#clock = clock;
  }

  /** Bytes of what is kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Reads contents from now on. Returns what ends that; you may call it twice. */
  watch(): () => void {
    this.#watchers += 1;
    this.#observers.payloads = this;
    let isWatching = true;
    return () => {
      if (!isWatching) return;
      isWatching = false;
      this.#watchers -= 1;
      if (this.#watchers > 0) return;
      this.#observers.payloads = undefined;
      this.#ofCalls.clear();
      this.#keptBytes = 0;
    };
  }

  /** The content of the message that an occurrence is about. Undefined: it has none, or it was not read. */
  of(occurrence: HostOccurrence): ShownPayload | undefined {
    return this.#ofOccurrences.get(occurrence);
  }

  callOpened(call: object, frame: Uint8Array): void {
    const payload = this.#read(frame);
    if (payload === undefined) return;
    this.#ofCalls.set(call, payload);
    this.#keptBytes += costOf(payload);
    for (const oldest of this.#ofCalls.keys()) {
      if (this.#keptBytes <= payloadLimits.keptBytes) break;
      this.#take(oldest);
    }
  }

  callEnded(call: object, occurrence: HostOccurrence): void {
    const payload = this.#take(call);
    if (payload !== undefined) this.#ofOccurrences.set(occurrence, payload);
  }

  eventRouted(frame: Uint8Array, occurrence: HostOccurrence): void {
    const payload = this.#read(frame);
    if (payload !== undefined) this.#ofOccurrences.set(occurrence, payload);
  }

  #take(call: object): ShownPayload | undefined {
    const payload = this.#ofCalls.get(call);
    if (payload === undefined) return undefined;
    this.#ofCalls.delete(call);
    this.#keptBytes -= costOf(payload);
    return payload;
  }

  #read(bytes: Uint8Array): ShownPayload | undefined {
    const nowMs = this.#clock.now();
    if (nowMs - this.#secondSinceMs >= 1_000) [this.#secondSinceMs, this.#readInSecond] = [nowMs, 0];
    if (this.#readInSecond >= payloadLimits.perSecond) return undefined;
    this.#readInSecond += 1;
    const payload = payloadIn(bytes);
    return payload && shownPayload(payload);
  }
}

function payloadIn(bytes: Uint8Array): WirePayload | undefined {
  try {
    const frame = decodeFrame(bytes);
    if (frame.kind === "request") return frame.payload;
    return frame.kind === "event" ? frame.event.payload : undefined;
  } catch {
    // No worker can read it either.
    return undefined;
  }
}

function shownPayload({ typeName, contentType, data }: WirePayload): ShownPayload {
  const isText = /^text\/|[/+]json\b/i.test(contentType);
  // A character that the cut halves is left out.
  const text = isText ? new TextDecoder().decode(data.subarray(0, payloadLimits.shownBytes), { stream: true }) : null;
  return { messageType: cut(typeName), contentType: cut(contentType), bytes: data.length, text };
}

function cut(name: string): string {
  return name.slice(0, 200);
}

function costOf({ messageType, contentType, text }: ShownPayload): number {
  return fixedBytes + 2 * (messageType.length + contentType.length + (text?.length ?? 0));
}
