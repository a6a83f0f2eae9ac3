import { type UndeliverableCode, UndeliverableException, withoutStack } from "../../core/internal.ts";
import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";

/** The length of the send queue. */
export interface QueueLength {
  readonly messages: number;
  readonly bytes: number;
}

/** The reason for which a message does not leave. */
export interface Unsent {
  readonly code: UndeliverableCode;
  readonly text: string;
}

/**
 * Refuses messages that find the send queue full. A program may send a million in one turn, so that a refusal must cost little. Of
 * a row of refusals only the first one has a stack. The log has one line, and one with their number when the queue is empty.
 */
export class SendRefusals {
  readonly #settings: Pick<WorkerSettings, "logger">;
  readonly #counts: WorkerCounters;
  #inRow = 0;
  #at: QueueLength = { messages: 0, bytes: 0 };
  #text = "";

  constructor(settings: Pick<WorkerSettings, "logger">, counts: WorkerCounters) {
    this.#settings = settings;
    this.#counts = counts;
  }

  /** Counts a refusal and returns its error (code `overloaded`). Each refusal has its own error object. */
  refuse(length: QueueLength, why: string): Error {
    this.#counts.overloadedSends += 1;
    this.#inRow += 1;
    if (this.#inRow === 1 || this.#at.messages !== length.messages || this.#at.bytes !== length.bytes) {
      this.#at = length;
      this.#text = `${length.messages} messages (${length.bytes} bytes) wait to be sent: ${why}. Send more slowly, or later.`;
    }
    const unsent = { code: "overloaded", text: this.#text } as const;
    if (this.#inRow > 1) return withoutStack(() => unreachable(unsent));
    this.#settings.logger.warn(`Messages are refused as overloaded from now on. ${this.#text}`);
    return unreachable(unsent);
  }

  /** Ends the row: the queue has room again. */
  end(): void {
    if (this.#inRow === 0) return;
    this.#settings.logger.info(`The send queue has room again. ${this.#inRow} messages were refused.`);
    this.#inRow = 0;
  }
}

/** The error of a message that has not left. */
export function unreachable({ code, text }: Unsent): Error {
  return new UndeliverableException(text, { code, notHandled: true });
}
