import { type Clock, errorText } from "../../core/internal.ts";
import {
  decodeStatesAsk,
  encodeStatesAnswer,
  readAskHead,
  type StatesAnswer,
  type StatesAsk,
} from "../../protocol/internal.ts";
import {
  type MemoryAccount,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
  type StreamEnd,
} from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { CloseReason } from "../observer.ts";
import { closingOf, type StreamClosing } from "../sessions/data-channel.ts";
import { GracefulClose } from "../sessions/graceful-close.ts";
import { heartbeatAnswer } from "../sessions/heartbeat-answer.ts";
import { QueueBound, type QueueBounds } from "../sessions/queue-bound.ts";
import type { Session, StreamBeside } from "../sessions/session.ts";
import { AskQueue } from "./ask-queue.ts";
import { failure } from "./commit-asks.ts";
import { failedAnswer, type StateService, type StoreAsk } from "./state-service.ts";

export interface StateStreamParts {
  readonly session: Session;
  readonly service: StateService;
  readonly account: MemoryAccount;
  readonly bounds: QueueBounds;
  readonly clock: Clock;
  readonly counters: MutableHostCounters;
  readonly onOpened: () => void;
  readonly onEnded: (closing: StreamClosing) => void;
}

interface OpenStream {
  readonly stream: ServerStream;
  readonly bound: QueueBound;
}

// protocol.md §11.15
/** The host's end of one `OpenStates` call: a worker keeps the states of its agents by it. */
export class StateStream implements ServerStreamReceiver, StreamBeside {
  readonly #parts: StateStreamParts;
  #asks: AskQueue | undefined;
  #open: OpenStream | undefined;
  /** It outlives what is open: a wait for the worker ends with the stream. */
  #close: GracefulClose | undefined;
  #endedFor: CloseReason | undefined;
  #isPaused = false;
  /** The worker does not read its answers. */
  #isFull = false;
  /** Answers that wait for space, encoded. */
  readonly #unsent: Uint8Array[] = [];

  constructor(parts: StateStreamParts) {
    this.#parts = parts;
  }

  onOpen(stream: ServerStream): void {
    const { session, account, bounds, clock, onOpened } = this.#parts;
    this.#asks = new AskQueue({
      account: account.openSibling({
        name: `states of ${session.owner.address}`,
        giveWay: (details) => {
          clock.setTimer(0, () => this.#giveWay(details));
        },
      }),
      maxBytes: bounds.maxQueuedBytes,
      onAnswer: (answer) => this.#answer(answer),
    });
    this.#open = { stream, bound: new QueueBound(stream, bounds, account) };
    this.#close = new GracefulClose(stream, clock);
    session.openStateStream(this);
    onOpened();
  }

  onFrame(bytes: Uint8Array): void {
    // The worker's calls have ended with its data channel, so that no commit of it counts any more.
    if (this.#open === undefined || !this.#parts.session.isOpen) return;
    let ask: StatesAsk;
    // What waits must not keep the whole buffer that the bytes came in.
    const own = 2 * bytes.length < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
    try {
      ask = decodeStatesAsk(own);
    } catch (error) {
      return this.#refuseUnread(bytes, { isOverload: false, reason: errorText(error) });
    }
    switch (ask.kind) {
      case "heartbeat": {
        const answer = heartbeatAnswer(ask);
        if (answer !== undefined && this.#open.bound.hasRoom(bytes.length, "heartbeat")) this.#answer(answer);
        return;
      }
      case "empty":
        this.#parts.counters.emptyFrames += 1;
        return;
      default:
        this.#take(ask, bytes.length + piecesOf(ask) * pieceBytes);
    }
  }

  onHalfClose(): void {
    this.finish({ code: StatusCode.ok, details: "" }, undefined);
  }

  onBadFrame({ details }: RpcStatus, head: Uint8Array = new Uint8Array(0), isOverload = false): void {
    if (this.#parts.session.isOpen) this.#refuseUnread(head, { isOverload, reason: details });
  }

  onDrain(): void {
    this.#isFull = this.#unsent.length > 0;
    this.#goOn();
  }

  onEnd(end: StreamEnd): void {
    this.#close?.done();
    this.#leave();
    this.#parts.onEnded(closingOf(end, this.#endedFor));
  }

  get receivedBytes(): number {
    return this.#open?.stream.receivedBytes ?? 0;
  }

  finish(status: RpcStatus, reason: CloseReason | undefined): void {
    this.#endedFor ??= reason;
    this.#close?.finish(status);
    this.#leave();
  }

  #take(ask: StoreAsk, bytes: number): void {
    const why = this.#asks?.whyNot(bytes);
    if (why !== undefined) return this.#answer(failedAnswer(ask, failure("overloaded", why)));
    const taken = this.#parts.service.take(this.#parts.session, ask);
    if ("kind" in taken) return this.#answer(taken);
    this.#asks?.add(taken, bytes);
    this.#goOn();
  }

  /** Starts asks while the worker reads the answers, and reads further ones while there is space for them. */
  #goOn(): void {
    if (!this.#isFull) this.#asks?.start();
    this.#review();
  }

  #review(): void {
    if (this.#open === undefined || this.#asks === undefined) return;
    const isPaused = this.#isFull || (this.#isPaused ? !this.#asks.isHalfEmpty : this.#asks.isFull);
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#open.stream.pause();
    else this.#open.stream.resume();
  }

  #answer(answer: StatesAnswer): void {
    const open = this.#open;
    if (open === undefined) return;
    const frame = this.#frameOf(answer, open);
    const fits = this.#unsent.length === 0 && open.bound.hasRoom(frame.length, "answer");
    if (fits) this.#isFull = !open.stream.send(frame);
    else if (this.#hasUnread(open)) this.#hold(frame, open.stream);
    else return this.#cutOff();
    this.#goOn();
  }

  /** Encodes an answer. A state that the host can't send, or has no space for, becomes a failure of its load. */
  #frameOf(answer: StatesAnswer, open: OpenStream): Uint8Array {
    const frame = encodeStatesAnswer(answer);
    if (answer.kind !== "loaded") return frame;
    if (frame.length > open.stream.maxSendBytes) return encodeStatesAnswer(tooLong(answer));
    if (this.#hasUnread(open) || open.bound.hasRoom(frame.length, "answer")) return frame;
    return encodeStatesAnswer(failedAnswer({ ...answer, kind: "load" }, noMemory));
  }

  /** Whether answers wait that the worker has not read. */
  #hasUnread({ stream }: OpenStream): boolean {
    return this.#unsent.length > 0 || stream.queuedFrames > 0;
  }

  /** Holds an answer that finds no space behind those that the worker has not read. */
  #hold(frame: Uint8Array, stream: ServerStream): void {
    this.#unsent.push(frame);
    this.#isFull = true;
    if (this.#unsent.length === 1) void stream.flushed().then(() => this.#sendUnsent());
    else if (this.#unsent.length > limits.stateAsks) this.#cutOff();
  }

  #sendUnsent(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#isFull = false;
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      if (open.stream.queuedFrames > 0 && !open.bound.hasRoom(next.length, "answer")) {
        this.#isFull = true;
        void open.stream.flushed().then(() => this.#sendUnsent());
        return;
      }
      this.#unsent.shift();
      if (!open.stream.send(next)) this.#isFull = true;
    }
    this.#goOn();
  }

  /** Refuses an ask of which the host could read only the beginning. Without that the stream ends: its worker then asks again. */
  #refuseUnread(
    head: Uint8Array,
    { isOverload, reason }: { readonly isOverload: boolean; readonly reason: string },
  ): void {
    const { counters } = this.#parts;
    counters.badFrames += 1;
    const ask = readAskHead(head);
    if (ask !== undefined) {
      return this.#answer(failedAnswer(ask, failure(isOverload ? "overloaded" : "invalid-message", reason)));
    }
    this.#abort({ code: StatusCode.invalidArgument, details: `An ask can't be read: ${reason}` }, "reset");
  }

  #cutOff(): void {
    this.#abort(
      { code: StatusCode.resourceExhausted, details: "This worker does not read the answers about its states." },
      "too-slow",
    );
  }

  #giveWay(details: string): void {
    this.#asks?.dropWaiting();
    this.#abort({ code: StatusCode.resourceExhausted, details }, "too-much");
  }

  #abort(status: RpcStatus, reason: CloseReason): void {
    this.#endedFor ??= reason;
    const stream = this.#open?.stream;
    this.#leave();
    stream?.abort(status);
  }

  /** Commits that were taken are still written: their callers get their answers. */
  #leave(): void {
    this.#open = undefined;
    this.#unsent.length = 0;
    this.#asks?.end();
    this.#parts.session.closeStateStream(this);
  }
}

/** Memory of an answer, event or effect of a commit beside its bytes: objects that say where its parts are. */
const pieceBytes = 500;

function piecesOf(ask: StoreAsk): number {
  if (ask.kind !== "commit") return 0;
  const { answers, events, mail, reminders, remembered, runs } = ask;
  const ofRuns = runs.reduce((sum, change) => sum + 1 + (change.at === "append" ? change.chunks.length : 0), 0);
  return ofRuns + answers.length + events.length + mail.length + reminders.length + remembered.length;
}

const noMemory = failure("overloaded", "The host has no space for the state. Try again later.");

function tooLong({ seq }: { readonly seq: number }): StatesAnswer {
  const text = "The state is longer than the host can send (channelOptions.maxSendMessageBytes).";
  return failedAnswer({ kind: "load", seq }, failure("message-too-large", text));
}
