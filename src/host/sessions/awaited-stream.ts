import { errorText } from "../../core/internal.ts";
import {
  type MemoryAccount,
  RpcError,
  type RpcStatus,
  type ServerStream,
  type ServerStreamReceiver,
  StatusCode,
  type StreamEnd,
} from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { Admitted } from "./admission.ts";

export interface AwaitedStreamParts {
  readonly admitted: Promise<Admitted>;
  /** Takes the frames that come before the admission. */
  readonly account: MemoryAccount;
  /** Makes the receiver of an admitted stream. Throws `RpcError` to refuse the stream after all. */
  readonly createReceiver: (principal: Admitted) => ServerStreamReceiver;
  /** The stream has ended before it was admitted. */
  readonly onGone: () => void;
}

/** About what a held frame occupies beside its own bytes, so that empty ones are bounded too. */
const heldFrameBytes = 100;

/** Something that the receiver is told once the stream is admitted. */
type Told = (receiver: ServerStreamReceiver) => void;

type State =
  | { readonly at: "waiting"; readonly told: Told[]; bytes: number }
  | { readonly at: "admitted"; readonly receiver: ServerStreamReceiver }
  /** Refused, or the caller hung up first. */
  | { readonly at: "over" };

/**
 * A stream whose admission is not decided yet. It is paused from its opening, so that flow control leaves the frames with the
 * sender. Frames that still come wait here within a bound and reach the receiver in order. The response headers wait too: a
 * caller that is refused learns its status alone.
 */
export class AwaitedStream implements ServerStreamReceiver {
  readonly answersLater = true;
  readonly #parts: AwaitedStreamParts;
  #stream: ServerStream | undefined;
  #hasEnded = false;
  #endedReceiver: ServerStreamReceiver | undefined;
  #state: State = { at: "waiting", told: [], bytes: 0 };

  constructor(parts: AwaitedStreamParts) {
    this.#parts = parts;
    // The stream may be gone before it opens; then nothing reads the outcome.
    parts.admitted.catch(() => undefined);
  }

  onOpen(stream: ServerStream): void {
    this.#stream = stream;
    stream.pause();
    this.#parts.admitted.then(
      (principal) => this.#admit(stream, principal),
      (refusal: unknown) => this.#refuse(stream, statusOf(refusal)),
    );
  }

  onFrame(frame: Uint8Array): void {
    if (this.#state.at === "admitted") this.#state.receiver.onFrame(frame);
    else this.#hold(frame.length, (receiver) => receiver.onFrame(frame));
  }

  onHalfClose(): void {
    this.#tell((receiver) => receiver.onHalfClose());
  }

  onBadFrame(status: RpcStatus, head?: Uint8Array, isOverload?: boolean): void {
    if (this.#state.at === "admitted") this.#state.receiver.onBadFrame(status, head, isOverload);
    else this.#hold(head?.length ?? 0, (receiver) => receiver.onBadFrame(status, head, isOverload));
  }

  onDrain(): void {
    // The host sends nothing before the admission, and its receivers do not wait for room.
  }

  onEnd(end: StreamEnd): void {
    const state = this.#state;
    this.#hasEnded = true;
    this.#leaveWaiting({ at: "over" });
    if (state.at === "admitted") {
      this.#endedReceiver = state.receiver;
      state.receiver.onEnd(end);
    } else if (state.at === "waiting") this.#parts.onGone();
  }

  onLate(messages: number): void {
    this.#endedReceiver?.onLate?.(messages);
  }

  #tell(told: Told): void {
    switch (this.#state.at) {
      case "admitted":
        return told(this.#state.receiver);
      case "waiting":
        this.#state.told.push(told);
        return;
      case "over":
        return;
    }
  }

  #hold(bytes: number, told: Told): void {
    const state = this.#state;
    if (state.at !== "waiting") return;
    const cost = bytes + heldFrameBytes;
    if (state.bytes + cost > limits.admissionBytes || !this.#parts.account.take(cost)) return this.#cutOff();
    state.bytes += cost;
    state.told.push(told);
  }

  /** Ends the wait: the held frames are passed on or dropped now. */
  #leaveWaiting(state: State): void {
    if (this.#state.at === "waiting") this.#parts.account.release(this.#state.bytes);
    this.#state = state;
  }

  #cutOff(): void {
    this.#leaveWaiting({ at: "over" });
    const details = "The stream sent too much before the host could authorize it.";
    this.#parts.onGone();
    this.#stream?.abort({ code: StatusCode.resourceExhausted, details });
  }

  #admit(stream: ServerStream, principal: Admitted): void {
    const state = this.#state;
    if (state.at !== "waiting") return;
    let receiver: ServerStreamReceiver;
    try {
      receiver = this.#parts.createReceiver(principal);
      stream.respond(receiver.responseMetadata);
    } catch (refusal) {
      return this.#refuse(stream, statusOf(refusal));
    }
    this.#leaveWaiting({ at: "admitted", receiver });
    // The transport does not stand below this call: what the receiver throws would end the process.
    try {
      receiver.onOpen(stream);
      for (const told of state.told) {
        if (this.#hasEnded) break;
        told(receiver);
      }
    } catch (error) {
      stream.abort({ code: StatusCode.internal, details: `The receiver of this stream threw: ${errorText(error)}` });
    }
    stream.resume();
  }

  #refuse(stream: ServerStream, status: RpcStatus): void {
    if (this.#state.at !== "waiting") return;
    this.#leaveWaiting({ at: "over" });
    stream.finish(status);
    // What the caller still sends must be read for the stream to close.
    stream.resume();
  }
}

function statusOf(refusal: unknown): RpcStatus {
  if (refusal instanceof RpcError) return refusal.status;
  return { code: StatusCode.internal, details: "The host could not open the stream." };
}
