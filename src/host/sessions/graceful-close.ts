import type { Clock, Timer } from "../../core/internal.ts";
import type { RpcStatus, ServerStream } from "../../transport/internal.ts";
import { limits } from "../limits.ts";

/**
 * Ends a channel after what is queued on it. A peer that does not take that is cut off after a while, so that nothing of it
 * stays.
 */
export class GracefulClose {
  readonly #stream: ServerStream;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #isSaid = false;

  constructor(stream: ServerStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /** The first status counts. */
  say(status: RpcStatus): void {
    if (this.#isSaid) return;
    this.#isSaid = true;
    this.#stream.finish(status);
    this.#timer = this.#clock.setTimer(limits.lastWordMs, () => this.#stream.abort(status));
  }

  /** The stream has ended, or is ended otherwise. */
  done(): void {
    this.#isSaid = true;
    this.#timer?.cancel();
  }
}
