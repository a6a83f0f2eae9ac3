import type { StreamEnd } from "../../../transport/internal.ts";
import type { WorkerSettings } from "../../worker-options.ts";
import { backOffMs } from "../connect-with-retry.ts";
import { describeEnd } from "../connection-end.ts";

export interface StreamReopeningOptions {
  readonly settings: Pick<WorkerSettings, "clock" | "random" | "logger">;
  /** For the log: `side stream`. */
  readonly name: string;
}

/** Delays between two attempts to open the stream. */
const backOff = { initialDelayMs: 100, maxDelayMs: 30_000, factor: 2, jitter: 0.5 };

/** Opens a stream beside the data channel again when it has ended alone, after a delay that doubles up to 30 s. */
export class StreamReopening {
  readonly #options: StreamReopeningOptions;
  /** Streams in a row that ended soon after their begin. */
  #failures = 0;
  #stopTimer = () => {};

  constructor(options: StreamReopeningOptions) {
    this.#options = options;
  }

  /** Calls `open` after the delay. A stream that lived for 30 s ends the row of failures. */
  after(end: StreamEnd, livedMs: number, open: () => void): void {
    const { clock, random } = this.#options.settings;
    if (livedMs >= backOff.maxDelayMs) this.#failures = 0;
    const delayMs = backOffMs(this.#failures, backOff, random);
    this.#failures += 1;
    this.#warn(end, delayMs);
    const timer = clock.setTimer(delayMs, open);
    this.#stopTimer = () => timer.cancel();
  }

  stop(): void {
    this.#stopTimer();
  }

  /** Says what has ended the stream, if the host has sent no status. Nothing is wrong with a link that takes no more streams. */
  #warn(end: StreamEnd, delayMs: number): void {
    if (end.by !== "status" || end.origin === "peer" || end.isUnread === true) return;
    const { settings, name } = this.#options;
    const kind = `The ${name} has ended without a status of the host`;
    settings.logger.warn(`${kind}: ${describeEnd(end)} The worker opens it again in ${delayMs} ms.`, undefined, kind);
  }
}
