import { errorText, NumberMap, TroupeError, UndeliverableException } from "../../../core/internal.ts";
import {
  type CommitAsk,
  type CommittedAnswer,
  decodeStatesAnswer,
  encodeStatesAsk,
  type HeartbeatFrame,
  type LoadAsk,
  type LoadedAnswer,
  type RememberedAnswer,
  type RememberedAsk,
  type RemindersAnswer,
  type RemindersAsk,
  type RunAnswer,
  type RunAsk,
  type RunsAnswer,
  type RunsAsk,
  type StatesAnswer,
  states,
} from "../../../protocol/internal.ts";
import { type FrameStream, StatusCode, type StreamEnd, type StreamReceiver } from "../../../transport/internal.ts";
import type { WorkerSettings } from "../../worker-options.ts";
import { describeEnd, isHostsWord } from "../connection-end.ts";
import { heartbeatAnswer } from "../heartbeat.ts";
import type { UndeliverableReason } from "../outbox.ts";
import { sizeOfAsk } from "./size-of-ask.ts";
import { StreamReopening } from "./stream-reopening.ts";

export interface StateStreamOptions {
  readonly settings: Pick<WorkerSettings, "clock" | "random" | "logger" | "maxMessageBytes" | "maxOutboxBytes">;
  readonly openStream: (name: string, receiver: StreamReceiver) => FrameStream;
  /** Called when `isFull` has changed. */
  readonly onFullness: () => void;
}

type Numbered = LoadAsk | CommitAsk | RemindersAsk | RememberedAsk | RunAsk | RunsAsk;
/** An ask without its number, which the stream gives. */
export type HostAsk =
  | Omit<LoadAsk, "seq">
  | Omit<CommitAsk, "seq">
  | Omit<RemindersAsk, "seq">
  | Omit<RememberedAsk, "seq">
  | Omit<RunAsk, "seq">
  | Omit<RunsAsk, "seq">;
/** An answer of the host to an ask. */
export type HostAnswer = LoadedAnswer | CommittedAnswer | RemindersAnswer | RememberedAnswer | RunAnswer | RunsAnswer;

/** `waiting`: it has ended alone, and opens again after a delay. `ended`: the connection has ended, or the host refuses the stream. */
type State = "unopened" | "open" | "waiting" | "ended";

interface Asked {
  readonly ask: Numbered;
  /** About how many bytes it has in memory until its answer comes. */
  readonly bytes: number;
  readonly resolve: (answer: HostAnswer) => void;
  readonly reject: (error: TroupeError) => void;
}

/** Streams in a row on which the host said nothing, after which the asks that wait fail: some 6 s. */
const mostMute = 6;

/**
 * Statuses of a host that does not let this worker keep states. UNIMPLEMENTED is a proxy's, which may answer as gRPC does: the host has said
 * that it keeps states.
 */
const refusals: ReadonlySet<number> = new Set([StatusCode.permissionDenied, StatusCode.unauthenticated]);

/**
 * Asks a Troupe host about the states of this worker's agents. Opens with the first ask, and again when it ends while the connection
 * lives, unless the host refuses it.
 */
// protocol.md §11.15
export class StateStream {
  readonly #options: StateStreamOptions;
  /** Asks that were sent, by their number. */
  #asked = new NumberMap<Asked>();
  /** Asks that wait until the stream is open again. */
  #waiting: Asked[] = [];
  #state: State = "unopened";
  #stream: FrameStream | undefined;
  readonly #reopening: StreamReopening;
  #seq = 0;
  /** Bytes of all asks without an answer. */
  #heldBytes = 0;
  #wasFull = false;
  /** Streams in a row on which the host has said nothing. */
  #mute = 0;
  #endedBecause: TroupeError | undefined;

  constructor(options: StateStreamOptions) {
    this.#options = options;
    this.#reopening = new StreamReopening({ settings: options.settings, name: "stream of states" });
  }

  /** Number of asks without an answer. */
  get size(): number {
    return this.#asked.size + this.#waiting.length;
  }

  /** Whether the host answers more slowly than this worker asks. While the stream is closed the worker has other work. */
  get isFull(): boolean {
    return this.#state === "open" && this.#heldBytes > this.#options.settings.maxOutboxBytes;
  }

  /**
   * Asks the host. Rejects with `state-unknown` for a commit of which it is not known whether it was written, and with another code if
   * nothing has changed. Of those the code `overloaded` means that too much has no answer yet.
   */
  ask(ask: HostAsk): Promise<HostAnswer> {
    this.#seq += 1;
    // The spread is last: V8 is slow when fields follow a spread.
    const numbered: Numbered = { seq: this.#seq, ...ask };
    const bytes = sizeOfAsk(ask);
    const isTooMuch = this.#heldBytes > 0 && this.#heldBytes + bytes > 2 * this.#options.settings.maxOutboxBytes;
    if (isTooMuch && this.#state !== "ended") return Promise.reject(this.#overloaded());
    return new Promise((resolve, reject) => {
      this.#heldBytes += bytes;
      this.#send({ ask: numbered, bytes, resolve, reject });
      this.#review();
    });
  }

  sayHeartbeat(heartbeat: HeartbeatFrame): void {
    if (this.#state === "open" && this.#stream?.queuedBytes === 0) this.#stream.send(encodeStatesAsk(heartbeat));
  }

  /** The connection has ended. */
  close({ code, text }: UndeliverableReason): void {
    this.#end(new UndeliverableException(text, { code, notHandled: true }));
    this.#stream?.cancel();
  }

  #send(asked: Asked): void {
    switch (this.#state) {
      case "ended":
        return this.#reject(asked, this.#endedBecause ?? disconnected());
      case "waiting":
        this.#waiting.push(asked);
        return;
      case "unopened":
        this.#open();
        break;
      case "open":
        break;
    }
    // The stream may have ended while it was opened.
    if (this.#state !== "open" || this.#stream === undefined) return this.#send(asked);
    let bytes: Uint8Array;
    try {
      bytes = encodeStatesAsk(asked.ask);
      assertFits(bytes, Math.min(this.#options.settings.maxMessageBytes, this.#stream.maxSendBytes));
    } catch (error) {
      return this.#reject(asked, TroupeError.from(error));
    }
    this.#asked.add(asked.ask.seq, asked);
    this.#stream.send(bytes);
  }

  #open(): void {
    const { openStream, settings } = this.#options;
    const { clock } = settings;
    const beganMs = clock.now();
    this.#state = "open";
    this.#stream = openStream(states.path, {
      onMetadata: () => undefined,
      onFrame: (bytes) => this.#receive(bytes),
      onHalfClose: () => undefined,
      onBadFrame: ({ details }) => this.#restart(details),
      onDrain: () => undefined,
      onEnd: (end) => this.#onEnd(end, clock.now() - beganMs),
    });
  }

  #receive(bytes: Uint8Array): void {
    this.#mute = 0;
    let answer: StatesAnswer;
    try {
      answer = decodeStatesAnswer(bytes);
    } catch (error) {
      return this.#restart(errorText(error));
    }
    if (answer.kind === "empty") return;
    if (answer.kind === "heartbeat") {
      if (!answer.isAnswer) this.sayHeartbeat(heartbeatAnswer(answer));
      return;
    }
    const asked = this.#asked.get(answer.seq);
    if (asked === undefined) return;
    this.#asked.delete(answer.seq);
    this.#letGo(asked);
    asked.resolve(answer);
  }

  /** An answer can't be read. The number of its ask is not known, so all asks begin anew. */
  #restart(reason: string): void {
    const kind = "An answer of the host about a state can't be read";
    this.#options.settings.logger.warn(`${kind}: ${reason}`, undefined, kind);
    this.#stream?.cancel();
  }

  #onEnd(end: StreamEnd, livedMs: number): void {
    if (this.#state === "ended") return;
    const isUnread = end.by === "status" && end.isUnread === true;
    if (isHostsWord(end, refusals)) {
      const text = `The host refuses to keep states of this worker: ${end.status.details}`;
      return this.#end(new TroupeError("not-accessible", text), isUnread);
    }
    this.#state = "waiting";
    this.#lose(isUnread);
    this.#mute += 1;
    // A link that takes no streams any more (GOAWAY) says nothing of the host.
    if (!isUnread && this.#mute >= mostMute) this.#failWaiting(mute(this.#mute, describeEnd(end)));
    this.#review();
    this.#reopening.after(end, livedMs, () => this.#reopen());
  }

  #reopen(): void {
    this.#state = "unopened";
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const asked of waiting) this.#send(asked);
  }

  /** Asks that only read are sent again. A commit may have been written, unless it is certain that the host has read none. */
  #lose(isUnread: boolean): void {
    const lost = this.#asked.values().sort((one, other) => one.ask.seq - other.ask.seq);
    this.#asked = new NumberMap();
    for (const asked of lost) {
      if (isUnread || asked.ask.kind !== "commit") this.#waiting.push(asked);
      else this.#reject(asked, unknown());
    }
  }

  #end(reason: TroupeError, isUnread = false): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#endedBecause = reason;
    this.#reopening.stop();
    this.#lose(isUnread);
    this.#failWaiting(reason);
    this.#review();
  }

  #failWaiting(reason: TroupeError): void {
    for (const asked of this.#waiting.splice(0)) this.#reject(asked, reason);
  }

  #reject(asked: Asked, error: TroupeError): void {
    this.#letGo(asked);
    asked.reject(error);
  }

  #letGo({ bytes }: Asked): void {
    this.#heldBytes -= bytes;
    if (this.#wasFull) this.#review();
  }

  #review(): void {
    const { isFull } = this;
    if (isFull === this.#wasFull) return;
    this.#wasFull = isFull;
    this.#options.onFullness();
  }

  #overloaded(): TroupeError {
    const why = this.#state === "waiting" ? "the stream to the host is closed" : "the host answers too slowly";
    const text = `${this.size} asks about states (${this.#heldBytes} bytes) have no answer yet: ${why}.`;
    return new UndeliverableException(`${text} Nothing has changed. Try again later, or raise maxOutboxBytes.`, {
      code: "overloaded",
    });
  }
}

function mute(streams: number, reason: string): TroupeError {
  const text = `The host's states can't be reached: ${streams} streams in a row have ended. Of the last one: ${reason}`;
  return new UndeliverableException(`${text} Nothing has changed. Look for a proxy on the way to the host.`, {
    code: "disconnected",
    notHandled: true,
  });
}

function assertFits({ length }: Uint8Array, maxBytes: number): void {
  if (length <= maxBytes) return;
  throw new TroupeError(
    "message-too-large",
    `The state has ${length} bytes with what leaves with it, and the limit is ${maxBytes} (maxMessageBytes). Nothing has changed.`,
  );
}

function unknown(): TroupeError {
  const text = "The connection to the host ended while it wrote the state: it may have happened.";
  return new TroupeError("state-unknown", `${text} Ask for the state, or send again under an idempotency key.`);
}

function disconnected(): TroupeError {
  return new UndeliverableException("The connection to the host has ended.", {
    code: "disconnected",
    notHandled: true,
  });
}
