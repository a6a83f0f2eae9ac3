import type { StoreEntry, StoreWatcher } from "../../cluster/index.ts";
import type { Clock, Timer } from "../../core/internal.ts";

type Step =
  | { readonly at: "entry"; readonly entry: StoreEntry }
  | { readonly at: "caught-up" }
  | { readonly at: "reset" };

/** Options of a `SimulatedWatch`. */
export interface SimulatedWatchOptions {
  readonly prefix: string;
  readonly watcher: StoreWatcher;
  /** The clock of the simulation, and that of the process that watches. */
  readonly clock: Clock;
  readonly process: Clock;
  readonly lagMs: () => number;
}

/** A watch of a simulated store: it tells what happens in order, later. */
export class SimulatedWatch {
  readonly prefix: string;
  readonly #options: SimulatedWatchOptions;
  #waiting: { readonly dueMs: number; readonly step: Step }[] = [];
  #arrived: Step[] = [];
  #timer: Timer | undefined;
  #isOver = false;

  constructor(options: SimulatedWatchOptions) {
    this.#options = options;
    this.prefix = options.prefix;
  }

  add(step: Step): void {
    if (this.#isOver) return;
    const lastMs = this.#waiting.at(-1)?.dueMs ?? 0;
    this.#waiting.push({ dueMs: Math.max(lastMs, this.#options.clock.now() + this.#options.lagMs()), step });
    this.#schedule();
  }

  /** Loses what has not arrived. */
  lose(): void {
    this.#waiting = [];
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Begins anew with all that is there. */
  begin(entries: readonly StoreEntry[], isReset: boolean): void {
    this.lose();
    if (isReset) this.add({ at: "reset" });
    for (const entry of entries) this.add({ at: "entry", entry });
    this.add({ at: "caught-up" });
  }

  end(): void {
    this.#isOver = true;
    this.lose();
    this.#arrived = [];
  }

  #schedule(): void {
    const next = this.#waiting[0];
    if (next === undefined || this.#timer !== undefined) return;
    const { clock } = this.#options;
    this.#timer = clock.setTimer(next.dueMs - clock.now(), () => {
      this.#timer = undefined;
      const now = clock.now();
      while (this.#waiting[0] !== undefined && this.#waiting[0].dueMs <= now) {
        const arrived = this.#waiting.shift();
        if (arrived !== undefined) this.#arrived.push(arrived.step);
      }
      this.#schedule();
      if (this.#arrived.length > 0) this.#options.process.setTimer(0, () => this.#tell());
    });
  }

  #tell(): void {
    const { watcher } = this.#options;
    for (const step of this.#arrived.splice(0)) {
      if (this.#isOver) return;
      if (step.at === "entry") watcher.onEntry({ ...step.entry, value: step.entry.value.slice() });
      else if (step.at === "caught-up") watcher.onCaughtUp();
      else watcher.onReset();
    }
  }
}
