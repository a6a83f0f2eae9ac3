import { CancelledError } from "../core/internal.ts";
import type { ToolGate } from "./gated-tools.ts";
import { type OpenStep, type StepCall, withCall } from "./history.ts";
import { plain } from "./plain.ts";

export interface StepCallsParts {
  readonly home: { open: OpenStep | null };
  readonly isOver: () => boolean;
  /** Throws if the turn must not go on. */
  readonly assertRuns: () => void;
  /** Writes the state. A failure ends the turn. */
  readonly save: () => Promise<void>;
  /** Resolves when the reader was told of these calls. */
  readonly whenTold: (calls: readonly StepCall[]) => Promise<void>;
}

/** The tool calls of the present step: all are saved before the first one runs, and each result when it is there. */
export class StepCalls implements ToolGate {
  readonly #parts: StepCallsParts;
  /** Calls that are not saved. */
  #called: StepCall[] = [];
  #saved: Promise<void> | undefined;

  constructor(parts: StepCallsParts) {
    this.#parts = parts;
  }

  /** Another step begins. */
  reset(): void {
    this.#called = [];
    this.#saved = undefined;
  }

  called(call: StepCall): void {
    this.#called.push(plain(call));
  }

  async save(call: StepCall): Promise<void> {
    const { home, isOver, save } = this.#parts;
    const { open } = home;
    if (isOver() || open === null) {
      if (call.result === undefined) throw over();
      return;
    }
    const known = open.calls.find(({ id }) => id === call.id);
    if (call.result !== undefined) {
      home.open = { ...open, calls: withCall(open.calls, plain(call)) };
      return save();
    }
    if (known === undefined || this.#saved === undefined) this.#saved = this.#saveCalls(plain(call), open);
    await this.#saved;
    this.#parts.assertRuns();
  }

  /** Saves that the agent that a tool asks has begun its run. */
  async begun(id: string): Promise<void> {
    const { home, isOver, save } = this.#parts;
    const call = home.open?.calls.find((one) => one.id === id);
    if (isOver() || home.open === null || call === undefined) return;
    home.open = { ...home.open, calls: withCall(home.open.calls, { ...call, begun: true }) };
    await save();
  }

  async #saveCalls(call: StepCall, open: OpenStep): Promise<void> {
    const { home, isOver, whenTold, save } = this.#parts;
    const calls = [...this.#called.splice(0), call].reduce(withCall, open.calls);
    home.open = { ...open, calls };
    await whenTold(calls);
    if (isOver()) throw over();
    await save();
  }
}

function over(): CancelledError {
  return new CancelledError("The turn has ended.");
}
