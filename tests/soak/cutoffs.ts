interface Cutoff {
  readonly beganMs: number;
  endedMs: number;
}

/** An event that was published so long before a cut may still have been on its way: connections are stalled for 150 ms, too. */
const underWayMs = 1_000;

/** So many of a worker's last cuts are remembered: those before have no events on their way. */
const mostRemembered = 20;

/** When workers were cut off from their host: what was under way then may be lost, and nothing else may. */
export class Cutoffs {
  readonly #nowMs: () => number;
  readonly #byWorker = new Map<string, Cutoff[]>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  begin(worker: string): void {
    const cutoffs = this.#byWorker.get(worker) ?? [];
    this.#byWorker.set(worker, cutoffs);
    cutoffs.push({ beganMs: this.#nowMs(), endedMs: Number.POSITIVE_INFINITY });
    if (cutoffs.length > mostRemembered) cutoffs.shift();
  }

  end(worker: string): void {
    const last = this.#byWorker.get(worker)?.at(-1);
    if (last !== undefined) last.endedMs = this.#nowMs();
  }

  /** Whether the worker's cuts can have cost an event that was published at that time. */
  excuse(worker: string, publishedMs: number): boolean {
    return (this.#byWorker.get(worker) ?? []).some(
      ({ beganMs, endedMs }) => publishedMs >= beganMs - underWayMs && publishedMs < endedMs,
    );
  }
}
