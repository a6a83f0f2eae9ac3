import { type Clock, setPatientTimer, type Timer } from "../../core/internal.ts";

export interface SignsOfLifeParts {
  readonly clock: Clock;
  /** Milliseconds of silence after which the host asks. */
  readonly afterMs: number;
  /** Milliseconds that the worker has for an answer. */
  readonly timeoutMs: number;
  /** Bytes that have come from the worker. Any byte shows that it lives. */
  readonly receivedBytes: () => number;
  /** Number of frames that have left for the worker, and of all that were queued for it. */
  readonly frames: () => { readonly left: number; readonly queued: number };
  /** Sends the worker a question, if there is space. */
  readonly ask: () => void;
  /** Called once, when nothing came in time. */
  readonly onSilent: () => void;
}

// protocol.md §11.12
/**
 * Notices a worker that is frozen behind a proxy. The proxy answers PINGs and keeps the connection, so only what comes inside the
 * worker's streams shows that the worker lives.
 */
export class SignsOfLife {
  readonly #parts: SignsOfLifeParts;
  #heard = 0;
  #timer: Timer | undefined;

  constructor(parts: SignsOfLifeParts) {
    this.#parts = parts;
    this.#wait();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #wait(): void {
    const { clock, afterMs, receivedBytes } = this.#parts;
    this.#heard = receivedBytes();
    this.#timer = clock.setTimer(afterMs, () => {
      if (this.#hasHeard) return this.#wait();
      this.#parts.ask();
      const { left, queued } = this.#parts.frames();
      this.#await(left, queued);
    });
  }

  /** Waits for any byte. Gives a question more time that makes its way behind other frames, of which `left` have left. */
  #await(left: number, question: number): void {
    const { clock, timeoutMs, frames, onSilent } = this.#parts;
    this.#timer = setPatientTimer(clock, timeoutMs, () => {
      if (this.#hasHeard) return this.#wait();
      const now = frames().left;
      const wasBehindOthers = left + 1 < question;
      if (wasBehindOthers && left < now) return this.#await(now, question);
      onSilent();
    });
  }

  get #hasHeard(): boolean {
    return this.#parts.receivedBytes() !== this.#heard;
  }
}
