import { TroupeError, UndeliverableException } from "../core/index.ts";
import { type CancelReason, encodeFrame, type Frame } from "../protocol/index.ts";
import type { FrameStream } from "../transport/index.ts";
import { HostSignals } from "./host-signals.ts";

/** Where frames leave a connection. Nothing is queued here: the stream queues and batches. */
export class Outbox {
  readonly #stream: FrameStream;
  readonly #maxMessageBytes: number;
  readonly #signals = new HostSignals((frame) => this.#signal(frame));
  #closedBecause: UndeliverableReason | undefined;

  constructor(stream: FrameStream, maxMessageBytes: number) {
    this.#stream = stream;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Throws `invalid-message`, `message-too-large` or `UndeliverableException`; then nothing was sent and the stream lives. */
  send(frame: Frame): void {
    if (this.#closedBecause !== undefined) {
      throw new UndeliverableException(this.#closedBecause.text, { code: this.#closedBecause.code });
    }
    const bytes = encodeFrame(frame);
    const limit = Math.min(this.#maxMessageBytes, this.#stream.maxSendBytes);
    if (bytes.length > limit) {
      throw new TroupeError(
        "message-too-large",
        `The message has ${bytes.length} bytes and the limit is ${limit}. ` +
          "Send less, or raise maxMessageBytes here and the limits of host and receiver.",
      );
    }
    this.#stream.send(bytes);
  }

  /** What the host's response headers tell of it. */
  learnPeer(isAnnounced: boolean): void {
    this.#signals.learnPeer(isAnnounced);
  }

  /** Tells a host that understands it that nobody here waits for this call any more. Never throws. */
  cancelCall(requestId: string, reason: CancelReason): void {
    this.#signals.cancelCall(requestId, reason);
  }

  /** From now on `send` throws; the first reason stands. */
  close(reason: UndeliverableReason): void {
    this.#closedBecause ??= reason;
  }

  /** Resolves when all that was sent has been handed to the network, or can't be any more. */
  flushed(): Promise<void> {
    return this.#stream.flushed();
  }

  #signal(frame: Frame): void {
    if (this.#closedBecause === undefined) this.#stream.send(encodeFrame(frame));
  }
}

export interface UndeliverableReason {
  readonly code: "disconnected" | "shutting-down";
  readonly text: string;
}
