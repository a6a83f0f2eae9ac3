import type { Clock } from "../../core/internal.ts";
import { type Link, type Metadata, RpcError, StatusCode } from "../../transport/internal.ts";

export interface KeepAliveOptions {
  readonly link: Pick<Link, "unary">;
  readonly metadata: Metadata;
  readonly clock: Clock;
  /** Milliseconds of silence after which the host is asked. 0: never. */
  readonly afterMs: number;
  /** Milliseconds that the host has for its answer. */
  readonly timeoutMs: number;
  /** Whether something was sent of which nothing shows yet that it has arrived (`FrameStream.unconfirmedFrames`): the answer shows it. */
  readonly isInDoubt: () => boolean;
  /** The host has answered a question. */
  readonly onAnswer: () => void;
  /** No sign of life came in time. */
  readonly onDead: (reason: string) => void;
}

/** Nobody serves this method: the host's UNIMPLEMENTED shows that it lives, and stock hosts neither log nor mind it. */
const method = "/troupe.v1.KeepAlive/AreYouThere";

/** A question that something other than the host answered is asked again after this part of the time. */
const askAgainPart = 0.2;

/**
 * Asks a host for a sign of life. Resolves when the host itself has answered, whatever it says; rejects with the transport's
 * error otherwise.
 */
export async function askForSignOfLife(
  link: Pick<Link, "unary">,
  options: { readonly metadata: Metadata; readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<void> {
  try {
    await link.unary(method, new Uint8Array(0), options);
  } catch (error) {
    if (!isHostsOwnAnswer(error)) throw error;
  }
}

/**
 * Returns whether a failed call shows that the host lives. An error that this side made does not, nor an HTTP status or a reset,
 * which a proxy may have sent; nor UNAVAILABLE, with which proxies that speak gRPC stand in for a host that they can't reach.
 */
export function isHostsOwnAnswer(error: unknown): boolean {
  return error instanceof RpcError && error.origin === "peer" && error.code !== StatusCode.unavailable;
}

/**
 * Asks a host that has been silent for a while for a sign of life. It also asks a host that talks, if it is in doubt whether the
 * host has what it was sent. It asks by a unary call, because gRPC's own servers hang up on a quiet connection with HTTP/2 pings
 * (`too_many_pings`).
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
    const { link, metadata, clock, timeoutMs, afterMs, onAnswer, onDead } = this.#options;
    const controller = new AbortController();
    const { signal } = controller;
    const askedMs = clock.now();
    const timeUp = clock.setTimer(timeoutMs, () => {
      this.#stop();
      // What the host has said elsewhere meanwhile is a sign of life, too.
      if (this.#heardMs >= askedMs) this.#look();
      else onDead(`it gave no sign of life within ${timeoutMs} ms.`);
    });
    let again = timeUp;
    this.#stop = () => {
      timeUp.cancel();
      again.cancel();
      controller.abort();
    };
    const answered = () => {
      if (signal.aborted) return;
      timeUp.cancel();
      this.heard();
      onAnswer();
      this.#wait(afterMs);
    };
    const ask = () => {
      void askForSignOfLife(link, { metadata, signal }).then(answered, () => {
        if (!signal.aborted) again = clock.setTimer(timeoutMs * askAgainPart, ask);
      });
    };
    ask();
  }
}
