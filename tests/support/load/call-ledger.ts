import { type AgentId, type AgentRuntime, type SendOptions, TroupeError } from "troupe";
import { Ask } from "./messages.ts";

/** How a call ended, and when (`performance.now()`). */
export type CallOutcome = { readonly number: number; readonly startedMs: number; readonly endedMs: number } & (
  | { readonly kind: "answered" }
  | { readonly kind: "failed"; readonly code: string; readonly text: string }
);

/** What became of a ledger's calls; plain data, to be sent to another process. */
export interface CallReport {
  readonly started: number;
  readonly open: number;
  readonly answered: number;
  /** By error code. */
  readonly failed: Readonly<Record<string, number>>;
  /** Answers that were somebody else's, and errors without a type; the first of them in words. */
  readonly wrong: readonly string[];
}

/** Books every call it makes: each has one outcome, an answer of its own or a typed error. */
export class CallLedger {
  readonly #caller: string;
  readonly #failed: Record<string, number> = {};
  readonly #wrong: string[] = [];
  readonly #waiting = new Set<() => void>();
  #started = 0;
  #answered = 0;
  #open = 0;

  /** `caller` is a name that no other ledger has. */
  constructor(caller: string) {
    this.#caller = caller;
  }

  report(): CallReport {
    const { length } = this.#wrong;
    return {
      started: this.#started,
      open: this.#open,
      answered: this.#answered,
      failed: { ...this.#failed },
      wrong: length > 10 ? [...this.#wrong.slice(0, 10), `and ${length - 10} more`] : [...this.#wrong],
    };
  }

  get failures(): number {
    return Object.values(this.#failed).reduce((sum, count) => sum + count, 0);
  }

  /** Makes a call; never rejects. */
  async call(
    runtime: AgentRuntime,
    target: AgentId,
    options: SendOptions & { text?: string } = {},
  ): Promise<CallOutcome> {
    const number = ++this.#started;
    const { text = "", ...sendOptions } = options;
    const startedMs = performance.now();
    this.#open++;
    try {
      const told = await runtime.sendMessage(Ask({ caller: this.#caller, number, text }), target, sendOptions);
      if (told?.caller !== this.#caller || told.number !== number || told.text !== text) {
        this.#wrong.push(`call ${number} of ${this.#caller} to ${target} got ${JSON.stringify(told)}`);
      }
      this.#answered++;
      return { kind: "answered", number, startedMs, endedMs: performance.now() };
    } catch (error) {
      if (!(error instanceof TroupeError)) this.#wrong.push(`call ${number} of ${this.#caller}: ${String(error)}`);
      const code = error instanceof TroupeError ? error.code : "untyped";
      this.#failed[code] = (this.#failed[code] ?? 0) + 1;
      return { kind: "failed", code, text: String(error), number, startedMs, endedMs: performance.now() };
    } finally {
      this.#open--;
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    }
  }

  /** Resolves when the condition holds, seen after each outcome; a test's own time limit is its end. */
  async until(holds: (report: CallReport) => boolean): Promise<void> {
    while (!holds(this.report())) await new Promise<void>((wake) => this.#waiting.add(wake));
  }

  /** Resolves when no call waits for its outcome. */
  idle(): Promise<void> {
    return this.until(({ open }) => open === 0);
  }
}
