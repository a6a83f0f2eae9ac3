import type { FrameStream } from "../../transport/internal.ts";
import type { Outbox } from "./outbox.ts";
import type { SideStream } from "./streams/side-stream.ts";

export interface ChannelReadingOptions {
  readonly stream: Pick<FrameStream, "pause" | "resume">;
  readonly outbox: Outbox;
  readonly sideStream: SideStream;
  /** Bytes of answers that may wait for the host before the worker takes no further calls. */
  readonly maxOutboxBytes: number;
  /** Whether the host owes an `ack` of a registration. */
  readonly awaitsAck: () => boolean;
  /** Whether the worker wants no more work now. */
  readonly isCrowded: () => boolean;
  /** Called when the worker reads again. */
  readonly onResumed: () => void;
}

/** Decides whether the worker reads the data channel, or lets flow control hold the host. */
export class ChannelReading {
  readonly #options: ChannelReadingOptions;
  #isPaused = false;

  constructor(options: ChannelReadingOptions) {
    this.#options = options;
  }

  /** Whether the worker has paused reading from the host. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the host does not take the answers that the worker sends, or what it is to write with them. */
  get isFull(): boolean {
    const { outbox, maxOutboxBytes } = this.#options;
    return outbox.states.isFull || (!outbox.isWritable && outbox.queuedBytes > maxOutboxBytes);
  }

  /**
   * Pauses or resumes. The worker always reads while it waits for an answer on this channel. Otherwise it holds a host that does not
   * take its answers. It also holds the host while it is busy, if notices still reach it.
   */
  review(): void {
    const { stream, outbox, awaitsAck, isCrowded, onResumed } = this.#options;
    const isWaitedFor = outbox.outgoingCallsCount > 0 || awaitsAck();
    const isPaused = !isWaitedFor && (this.isFull || (isCrowded() && this.#hearsNotices));
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) return stream.pause();
    onResumed();
    stream.resume();
  }

  /** Whether the worker misses no notice while it does not read the data channel. A stock host sends none. */
  get #hearsNotices(): boolean {
    const { sideStream, outbox } = this.#options;
    return sideStream.isOpen || !outbox.host.isAnnounced;
  }
}
