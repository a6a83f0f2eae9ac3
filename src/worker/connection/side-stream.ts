import { errorText, type Logger } from "../../core/internal.ts";
import {
  type CancelFrame,
  decodeFrame,
  encodeFrame,
  type HeartbeatFrame,
  type LeavingFrame,
  signals,
} from "../../protocol/internal.ts";
import type { FrameStream, Link, Metadata } from "../../transport/internal.ts";

export interface SideStreamOptions {
  readonly link: Link;
  readonly metadata: Metadata;
  readonly logger: Logger;
  readonly onNotice: (frame: CancelFrame | LeavingFrame) => void;
  /** Called when the stream is open or has ended. */
  readonly onChange: () => void;
}

type State = "unopened" | "opening" | "open" | "ended";

/** Carries a Troupe host's notices beside the data channel, which the worker may have paused. Never opens again after its end. */
// protocol.md §11.7
export class SideStream {
  readonly #options: SideStreamOptions;
  #state: State = "unopened";
  #stream: FrameStream | undefined;

  constructor(options: SideStreamOptions) {
    this.#options = options;
  }

  /** Whether the host sends its notices here too. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Sends a heartbeat if the stream is open and nothing waits on it. */
  sayHeartbeat(heartbeat: HeartbeatFrame): void {
    if (this.#state === "open" && this.#stream?.queuedBytes === 0) this.#stream.send(encodeFrame(heartbeat));
  }

  /** Opens the stream. Call it when the host has announced itself. */
  open(): void {
    if (this.#state !== "unopened") return;
    this.#state = "opening";
    const { link, metadata } = this.#options;
    this.#stream = link.openStream(
      signals.path,
      {
        onMetadata: () => this.#become("open"),
        onFrame: (bytes) => this.#receive(bytes),
        onHalfClose: () => undefined,
        onBadFrame: () => undefined,
        onDrain: () => undefined,
        onEnd: () => this.#become("ended"),
      },
      { metadata },
    );
  }

  close(): void {
    this.#state = "ended";
    this.#stream?.cancel();
  }

  #become(state: State): void {
    if (this.#state === "ended") return;
    this.#state = state;
    this.#options.onChange();
  }

  #receive(bytes: Uint8Array): void {
    const { logger, onNotice } = this.#options;
    try {
      const frame = decodeFrame(bytes);
      if (frame.kind === "cancel" || frame.kind === "leaving") onNotice(frame);
    } catch (error) {
      logger.warn(`A signal from the host was passed over: ${errorText(error)}`);
    }
  }
}
