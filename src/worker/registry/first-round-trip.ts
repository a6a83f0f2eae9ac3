import { untilAborted } from "../../core/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";

export interface FirstRoundTripOptions {
  /** Makes a unary call over the connection and waits for its answer. */
  readonly ask: () => Promise<void>;
  /** Whether the host has announced itself. Troupe's hosts keep what is registered before the channel is open. */
  readonly isHostAnnounced: () => boolean;
}

// protocol.md §7
/**
 * One round trip before the first registration on a connection. .NET's gateway acknowledges and forgets a registration that races the
 * opening of its channel; it answers a later call only after it has the channel.
 */
export class FirstRoundTrip {
  readonly #options: FirstRoundTripOptions;
  #answer: Promise<void> | undefined;
  #isDone = false;

  constructor(options: FirstRoundTripOptions) {
    this.#options = options;
  }

  /** Returns the promise to wait for; undefined: there is nothing to wait for. Rejects when the host gives no answer in time. */
  wait(signal?: AbortSignal): void | Promise<void> {
    if (this.#isDone || this.#options.isHostAnnounced()) return undefined;
    this.#answer ??= this.#ask();
    return untilAborted(this.#answer, { signal }, "The registration");
  }

  async #ask(): Promise<void> {
    try {
      await this.#options.ask();
    } catch (error) {
      this.#answer = undefined;
      // The registration itself tells of anything else, and does so better.
      if (error instanceof RpcError && error.code === StatusCode.deadlineExceeded) throw error;
    }
    this.#isDone = true;
  }
}
