import type { StreamEnd, StreamReceiver } from "../link.ts";
import type { Schedule } from "./memory-pipe.ts";

export interface MemoryPartyOptions {
  readonly schedule: Schedule;
  readonly onEnded: () => void;
  /** The receiver threw, which it must not. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * One side of a call: passes callbacks to its receiver until the end. It reports the end once, in a turn of its own.
 */
export class MemoryParty {
  /** Undefined until the server accepts the call. */
  receiver: StreamReceiver | undefined;
  readonly #options: MemoryPartyOptions;
  #hasEnded = false;

  constructor(options: MemoryPartyOptions) {
    this.#options = options;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  tell(event: (receiver: StreamReceiver) => void): void {
    if (this.#hasEnded || this.receiver === undefined) return;
    try {
      event(this.receiver);
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  end(end: StreamEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.onEnded();
    this.#options.schedule(() => {
      try {
        this.receiver?.onEnd(end);
      } catch (error) {
        this.#options.onFailure(error);
      }
    });
  }
}
