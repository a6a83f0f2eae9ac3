import type { Clock } from "../../core/internal.ts";
import type { Link, Metadata } from "../../transport/internal.ts";

export interface KeepAliveOptions {
  readonly link: Link;
  readonly metadata: Metadata;
  readonly clock: Clock;
  /** 0: never. */
  readonly afterMs: number;
  readonly timeoutMs: number;
  /** Whether the host was sent something of which nothing shows that it has it: its answer does (`FrameStream.unconfirmedFrames`). */
  readonly isInDoubt: () => boolean;
  /** No sign of life came in time. */
  readonly onDead: (reason: string) => void;
}

/** Nobody serves it: any status for an answer says that the host lives, and stock hosts neither log nor mind it. */
const method = "/troupe.v1.KeepAlive/AreYouThere";

/**
 * Asks a host that has been silent for a while for a sign of life, and also one that talks whether it has what it was sent. By a
 * unary call: HTTP/2 pings on a quiet connection make
 * gRPC's own servers hang up (`too_many_pings`).
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #heardMs: number;
  #stop = () => {};

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#heardMs = options.clock.now();
    if (options.afterMs > 0) this.#wait(options.afterMs);
  }

  /** The host has sent something. */
  heard(): void {
    this.#heardMs = this.#options.clock.now();
  }

  stop(): void {
    this.#stop();
  }

  #wait(ms: number): void {
    const timer = this.#options.clock.setTimer(ms, () => this.#look());
    this.#stop = () => timer.cancel();
  }

  #look(): void {
    const { clock, afterMs, isInDoubt } = this.#options;
    const silentMs = clock.now() - this.#heardMs;
    if (silentMs < afterMs && !isInDoubt()) this.#wait(afterMs - silentMs);
    else this.#ask();
  }

  #ask(): void {
    const { link, metadata, clock, timeoutMs, afterMs, onDead } = this.#options;
    const controller = new AbortController();
    const askedMs = clock.now();
    const asked = link.unary(method, new Uint8Array(0), { metadata, signal: controller.signal });
    const timer = clock.setTimer(timeoutMs, () => {
      this.#stop();
      // What it has said elsewhere meanwhile is a sign of life, too.
      if (this.#heardMs >= askedMs) this.#look();
      else onDead(`it gave no sign of life within ${timeoutMs} ms.`);
    });
    this.#stop = () => {
      timer.cancel();
      controller.abort();
    };
    // Whatever the answer: it is one. That the link is gone, the end of the channel tells.
    const onAnswer = () => {
      if (controller.signal.aborted) return;
      timer.cancel();
      this.heard();
      this.#wait(afterMs);
    };
    void asked.then(onAnswer, onAnswer);
  }
}
