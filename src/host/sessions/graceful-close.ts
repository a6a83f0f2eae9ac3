import type { Clock, Timer } from "../../core/internal.ts";
import type { RpcStatus, ServerStream } from "../../transport/internal.ts";
import { limits } from "../limits.ts";

/** Ends a channel after the frames that are queued on it. A peer that does not read them within 5 s is cut off. */
export class GracefulClose {
  readonly #stream: ServerStream;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #isEnding = false;

  constructor(stream: ServerStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  /** Ends the channel with a status; only the first one counts. */
  finish(status: RpcStatus): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#stream.finish(status);
    this.#timer = this.#clock.setTimer(limits.closeMs, () => this.#stream.abort(status));
  }

  /** Stops the wait: the stream has ended. */
  done(): void {
    this.#isEnding = true;
    this.#timer?.cancel();
  }
}
