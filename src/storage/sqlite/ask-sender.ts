import { nextTurn, StoreError } from "../../core/internal.ts";
import type { Ask } from "./asks.ts";
import type { Executor } from "./executor.ts";
import type { MailParts } from "./mail-parts.ts";

/** A question on its way to an executor. */
export interface Sendable {
  readonly ask: Ask;
  /** Mail of its commits, which goes before it. */
  readonly mailParts: MailParts | undefined;
  isSent: boolean;
}

export interface AskSenderParts<Pending> {
  /** Starts an executor if there is none. Rejects if it can't. */
  readonly executor: () => Promise<Executor>;
  /** Whether an executor was not lost. */
  readonly isRunning: (executor: Executor) => boolean;
  /** Nothing was done for this question. */
  readonly refuse: (pending: Pending, error: StoreError) => void;
}

/** Sends questions in their order. Those of one turn of the event loop go together; one with much mail goes in parts. */
export class AskSender<Pending extends Sendable> {
  readonly #parts: AskSenderParts<Pending>;
  #gathered: Pending[] = [];
  #isSending = false;

  constructor(parts: AskSenderParts<Pending>) {
    this.#parts = parts;
  }

  add(pending: Pending): void {
    this.#gathered.push(pending);
    if (!this.#isSending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#gathered.length > 0) {
      await nextTurn();
      let left: readonly Pending[] = this.#gathered;
      this.#gathered = [];
      try {
        while (left.length > 0) left = await this.#sendFirst(left);
      } catch (error) {
        for (const pending of left) this.#parts.refuse(pending, storeError(error));
      }
    }
    this.#isSending = false;
  }

  /** Sends those before the first one with parts, or that one. Returns those behind. */
  async #sendFirst(all: readonly Pending[]): Promise<readonly Pending[]> {
    const [first] = all;
    if (first?.mailParts !== undefined) {
      await this.#sendInParts(first, first.mailParts);
      return all.slice(1);
    }
    const executor = await this.#parts.executor();
    const place = all.findIndex(({ mailParts }) => mailParts !== undefined);
    const together = place < 0 ? all : all.slice(0, place);
    for (const one of together) one.isSent = true;
    executor.send(together.map(({ ask }) => ask));
    return place < 0 ? [] : all.slice(place);
  }

  /** Lets others have turns of the event loop between the parts. What is asked later waits. */
  async #sendInParts(pending: Pending, parts: MailParts): Promise<void> {
    const executor = await this.#parts.executor();
    for (const part of parts.pack(pending.ask.id)) {
      executor.sendMail(part);
      await nextTurn();
      if (this.#parts.isRunning(executor)) continue;
      const text = "The thread of the state store was lost before it had the commit. Nothing was written. Try again.";
      return this.#parts.refuse(pending, new StoreError("unavailable", text));
    }
    pending.isSent = true;
    executor.send([pending.ask]);
  }
}

function storeError(error: unknown): StoreError {
  return error instanceof StoreError ? error : new StoreError("unavailable", String(error), { cause: error });
}
