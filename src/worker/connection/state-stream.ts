import { errorText, NumberMap, TroupeError, UndeliverableException } from "../../core/internal.ts";
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
  type StatesAnswer,
  states,
} from "../../protocol/internal.ts";
import { type FrameStream, StatusCode, type StreamEnd, type StreamReceiver } from "../../transport/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { backOffMs } from "./connect-with-retry.ts";
import { heartbeatAnswer } from "./heartbeat.ts";
import type { UndeliverableReason } from "./outbox.ts";

export interface StateStreamOptions {
  readonly settings: Pick<WorkerSettings, "clock" | "random" | "logger" | "maxMessageBytes">;
  readonly openStream: (name: string, receiver: StreamReceiver) => FrameStream;
}

type Numbered = LoadAsk | CommitAsk | RemindersAsk | RememberedAsk;
/** An ask without its number, which the stream gives. */
export type HostAsk =
  | Omit<LoadAsk, "seq">
  | Omit<CommitAsk, "seq">
  | Omit<RemindersAsk, "seq">
  | Omit<RememberedAsk, "seq">;
/** An answer of the host to an ask. */
export type HostAnswer = LoadedAnswer | CommittedAnswer | RemindersAnswer | RememberedAnswer;

/** `waiting`: it has ended alone, and opens again after a delay. `ended`: the connection has ended, or the host refuses the stream. */
type State = "unopened" | "open" | "waiting" | "ended";

interface Asked {
  readonly ask: Numbered;
  readonly resolve: (answer: HostAnswer) => void;
  readonly reject: (error: TroupeError) => void;
}

/** Delays between two attempts to open the stream. */
const backOff = { initialDelayMs: 100, maxDelayMs: 30_000, factor: 2, jitter: 0.5 };

/** Statuses of a host that does not let this worker keep states. */
const refusals: ReadonlySet<number> = new Set([
  StatusCode.unimplemented,
  StatusCode.permissionDenied,
  StatusCode.unauthenticated,
]);

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
  #seq = 0;
  /** Streams in a row that ended soon after their begin. */
  #failures = 0;
  #endedBecause: TroupeError | undefined;
  #stopTimer = () => {};

  constructor(options: StateStreamOptions) {
    this.#options = options;
  }

  /** Number of asks without an answer. */
  get size(): number {
    return this.#asked.size + this.#waiting.length;
  }

  /**
   * Asks the host. Rejects with `state-unknown` for a commit of which it is not known whether it was written, and with another code if
   * nothing has changed.
   */
  ask(ask: HostAsk): Promise<HostAnswer> {
    this.#seq += 1;
    // The spread is last: V8 is slow when fields follow a spread.
    const numbered: Numbered = { seq: this.#seq, ...ask };
    return new Promise((resolve, reject) => this.#send({ ask: numbered, resolve, reject }));
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
        return asked.reject(this.#endedBecause ?? disconnected());
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
      return asked.reject(TroupeError.from(error));
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
    const { clock, random } = this.#options.settings;
    const refusal = end.by === "status" && refusals.has(end.status.code) ? end.status : undefined;
    if (refusal !== undefined) {
      const text = `The host refuses to keep states of this worker: ${refusal.details}`;
      return this.#end(new TroupeError("not-accessible", text), end.by === "status" && end.isUnread === true);
    }
    this.#state = "waiting";
    this.#lose(end.by === "status" && end.isUnread === true);
    if (livedMs >= backOff.maxDelayMs) this.#failures = 0;
    const timer = clock.setTimer(backOffMs(this.#failures, backOff, random), () => this.#reopen());
    this.#failures += 1;
    this.#stopTimer = () => timer.cancel();
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
      else asked.reject(unknown());
    }
  }

  #end(reason: TroupeError, isUnread = false): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#endedBecause = reason;
    this.#stopTimer();
    this.#lose(isUnread);
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
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
