/** A message that a simulated stream keeps. */
export interface StoredMessage {
  readonly place: number;
  readonly subject: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly data: Uint8Array;
}

/** A pull of a consumer that waits for messages. */
export interface Pull {
  readonly inbox: string;
  readonly untilMs: number;
  left: number;
}

/** A consumer of a simulated stream. */
export interface SimulatedConsumer {
  readonly name: string;
  readonly filter: string;
  readonly isHeadersOnly: boolean;
  /** The place from which on it reads. */
  next: number;
  /** Messages that it has delivered, and the place of the last one. */
  count: number;
  lastPlace: number;
  pull: Pull | undefined;
}

/** The settings of a stream as it was made. */
export interface SimulatedConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly max_msgs_per_subject?: number;
  readonly duplicate_window?: number;
  readonly first_seq?: number;
}

/** A stream as NATS' servers keep it: the copies on several servers are one here. */
export class SimulatedStream {
  readonly config: SimulatedConfig;
  readonly created: string;
  readonly consumers = new Map<string, SimulatedConsumer>();
  /** By place, in order. */
  readonly #messages = new Map<number, StoredMessage>();
  readonly #ids = new Map<string, { readonly place: number; readonly atMs: number }>();
  #last: number;

  constructor(config: SimulatedConfig, created: string) {
    this.config = config;
    this.created = created;
    this.#last = Math.max(0, (config.first_seq ?? 0) - 1);
  }

  get messages(): readonly StoredMessage[] {
    return [...this.#messages.values()];
  }

  /** The last place that a message has had. */
  get last(): number {
    return this.#last;
  }

  get bytes(): number {
    let bytes = 0;
    for (const { subject, data } of this.#messages.values()) bytes += subject.length + data.length + 200;
    return bytes;
  }

  /** Keeps a message; `known`: it had one of this id within its window. */
  append(
    message: Omit<StoredMessage, "place">,
    nowMs: number,
  ): { readonly at: "kept" | "known"; readonly place: number } | { readonly at: "full" } {
    const { max_msgs_per_subject: most = -1, duplicate_window: windowNs = 0 } = this.config;
    const id = message.headers.get("Nats-Msg-Id") ?? "";
    const known = this.#ids.get(id);
    if (known !== undefined && nowMs - known.atMs < windowNs / 1e6) return { at: "known", place: known.place };
    const ofSubject = this.messages.filter(({ subject }) => subject === message.subject);
    if (most > 0 && ofSubject.length >= most) return { at: "full" };
    this.#last += 1;
    this.#messages.set(this.#last, { ...message, place: this.#last });
    this.#ids.set(id, { place: this.#last, atMs: nowMs });
    return { at: "kept", place: this.#last };
  }

  at(place: number): StoredMessage | undefined {
    return this.#messages.get(place);
  }

  /** The first message of some subjects at a place or behind it. */
  next(filter: string, from: number): StoredMessage | undefined {
    for (const message of this.#messages.values())
      if (message.place >= from && matches(filter, message.subject)) return message;
    return undefined;
  }

  delete(place: number): StoredMessage | undefined {
    const message = this.#messages.get(place);
    this.#messages.delete(place);
    return message;
  }

  /** Deletes the messages of some subjects before a place. Undefined: all of them. */
  purge(filter: string, before = Number.POSITIVE_INFINITY): readonly StoredMessage[] {
    const gone = this.messages.filter(({ place, subject }) => place < before && matches(filter, subject));
    for (const { place } of gone) this.#messages.delete(place);
    return gone;
  }
}

/** Whether a subject is one of a filter, which may end in `>`. */
export function matches(filter: string, subject: string): boolean {
  return filter.endsWith(">") ? subject.startsWith(filter.slice(0, -1)) : filter === subject;
}
