import {
  type Clock,
  type Commit,
  type CommitOutcome,
  type MailBoundOptions,
  MemoryStateStore,
  StoreError,
} from "../../core/internal.ts";
import type { Dice } from "./dice.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/**
 * A fault of a simulated store.
 * - `slow`: each answer takes up to a second.
 * - `full`: commits that write anything reject as `full`, and change nothing.
 * - `lost`: the store's server is gone. What writes rejects as `unknown` and has happened or not; what reads rejects as `unavailable`.
 */
export type SimulatedStoreFault = "slow" | "full" | "lost";

/** Options of a `SimulatedStateStore`. */
export interface SimulatedStateStoreOptions extends MailBoundOptions {
  readonly clock: Clock;
  readonly dice: Dice;
  /** Returns the milliseconds that the store needs for the next answer. Default: 1 to 4, sometimes 40. */
  readonly latencyMs?: ((dice: Dice) => number) | undefined;
  /** Called for each commit that has happened, also if no caller hears of it. */
  readonly onCommitted?: ((commit: Commit, outcome: CommittedOutcome) => void) | undefined;
}

/** The outcome of a commit that has happened. */
export type CommittedOutcome = Extract<CommitOutcome, { readonly at: "committed" }>;

/** Something that was asked of the table and is not done. */
interface Ask {
  readonly kind: AskKind;
  readonly run: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  isOver: boolean;
}

export type AskKind = "open" | "read" | "write" | "put";

/** The data that the simulated stores of one world share, and its faults. Nothing of it depends on a process. */
export class SimulatedTable {
  readonly memory: MemoryStateStore;
  readonly onCommitted: (commit: Commit, outcome: CommittedOutcome) => void;
  readonly #options: SimulatedStateStoreOptions;
  #fault: SimulatedStoreFault | undefined;

  constructor(options: SimulatedStateStoreOptions) {
    const { clock, dice, onCommitted, maxMailboxMessages, maxMailboxBytes, maxMailBytes } = options;
    const ids = dice.fork("eTags");
    this.#options = options;
    const bounds = { maxMailboxMessages, maxMailboxBytes, maxMailBytes };
    this.memory = new MemoryStateStore({ clock, makeId: () => ids.id(), ...bounds });
    this.onCommitted = onCommitted ?? (() => undefined);
  }

  get fault(): SimulatedStoreFault | undefined {
    return this.#fault;
  }

  break(fault: SimulatedStoreFault): void {
    this.#fault = fault;
  }

  mend(): void {
    this.#fault = undefined;
  }

  /** Makes the queue of one process. */
  queue(process: SimulatedProcess | undefined): AskQueue {
    return new AskQueue(this, this.#options, process);
  }
}

/** The asks of one process at a table. They are done and answered in their order. */
export class AskQueue {
  readonly #table: SimulatedTable;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #latencyMs: (dice: Dice) => number;
  readonly #asks: Ask[] = [];
  #lastDueMs = 0;
  #isLost = false;
  #done: Promise<unknown> = Promise.resolve();

  constructor(table: SimulatedTable, options: SimulatedStateStoreOptions, process: SimulatedProcess | undefined) {
    this.#table = table;
    this.#clock = options.clock;
    this.#dice = options.dice;
    this.#latencyMs = options.latencyMs ?? usualLatencyMs;
    void process?.killed.then(() => this.#lose());
  }

  /** Whether the process is gone: it hears of no answer any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Does it when its time has come, and answers it then. Never settles if the process is killed before. */
  ask<Answer>(kind: AskKind, run: () => Promise<Answer>): Promise<Answer> {
    if (this.#isLost) return new Promise(() => undefined);
    return new Promise<Answer>((resolve, reject) => {
      // The answer of `run` is what `resolve` takes.
      const ask: Ask = { kind, run, resolve: resolve as (value: unknown) => void, reject, isOver: false };
      this.#asks.push(ask);
      const now = this.#clock.now();
      const slowMs = this.#table.fault === "slow" ? this.#dice.between(100, 1_000) : 0;
      this.#lastDueMs = Math.max(this.#lastDueMs, now + this.#latencyMs(this.#dice) + slowMs);
      this.#clock.setTimer(this.#lastDueMs - now, () => this.#serveUpTo(ask));
    });
  }

  /** Timers of one moment come in any order: what was asked before is done before. */
  #serveUpTo(last: Ask): void {
    while (!last.isOver) {
      const ask = this.#asks.shift();
      if (ask === undefined) return;
      ask.isOver = true;
      this.#done = this.#done.then(() => this.#serve(ask));
    }
  }

  async #serve(ask: Ask): Promise<void> {
    const { fault } = this.#table;
    try {
      if (fault === "full" && ask.kind === "put") throw new StoreError("full", "The simulated store is full.");
      if (fault === "lost") await this.#loseAnswer(ask);
      ask.resolve(await ask.run());
    } catch (error) {
      ask.reject(error);
    }
  }

  /** Throws, after it has done a write or not. */
  async #loseAnswer({ kind, run }: Ask): Promise<never> {
    if (kind === "read" || kind === "open")
      throw new StoreError("unavailable", "The server of the simulated store is gone.");
    if (this.#dice.chance(0.5)) await run();
    throw new StoreError("unknown", "The server of the simulated store was lost while it wrote.");
  }

  /** The process is killed: the first of its writes that were under way are done, the others never. */
  #lose(): void {
    this.#isLost = true;
    const writes = this.#asks.filter(({ kind }) => kind !== "read");
    const count = writes.length === 0 ? 0 : this.#dice.between(0, writes.length);
    for (const ask of this.#asks) ask.isOver = true;
    this.#asks.length = 0;
    // No caller hears of an error.
    for (const { run } of writes.slice(0, count)) this.#done = run().catch(() => undefined);
  }

  /** Resolves when what was asked before is done. */
  async settled(): Promise<void> {
    if (this.#asks.length > 0) await this.ask("read", () => Promise.resolve()).catch(() => undefined);
    await this.#done;
  }
}

function usualLatencyMs(dice: Dice): number {
  return dice.chance(0.95) ? dice.between(1, 4) : 40;
}

/** Copies plain data with its bytes. */
export function copyOf<T>(value: T): T {
  if (value instanceof Uint8Array) return new Uint8Array(value) as T & Uint8Array<ArrayBuffer>;
  // The copy has the same fields, and TypeScript can't see that.
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copyOf(field)])) as T;
}
