import { setTimeout as pause } from "node:timers/promises";
import { type Fault, type FaultProxy, seededRandom } from "troupe/testing";
import { CallLedger } from "../support/load/call-ledger.ts";
import { untilAnswered } from "../support/load/call-load.ts";
import type { EventBooks } from "./event-books.ts";
import type { SoakWorker } from "./soak-worker.ts";

/** What happens to a connection; the last two cost nothing but time. */
const faults: readonly [Fault, ...Fault[]] = [
  { kind: "reset" },
  { kind: "close" },
  { kind: "half-close", in: "to-client" },
  { kind: "half-close", in: "to-target" },
  { kind: "stall", forMs: 150 },
  { kind: "delay", delayMs: 10, jitterMs: 10, forMs: 300 },
];

export interface CutsOptions {
  readonly workers: readonly { readonly worker: SoakWorker; readonly proxy: FaultProxy }[];
  /** Who finds out that a worker has come back. */
  readonly observer: SoakWorker;
  readonly books: EventBooks;
  readonly seed: number;
  readonly everyMs: number;
}

/** Breaks the connections of some workers one after another, and waits until each has come back. */
export class Cuts {
  readonly #options: CutsOptions;
  readonly #loop: Promise<void>;
  readonly #ledger = new CallLedger("cuts");
  readonly #stopping = new AbortController();
  reconnects = 0;

  constructor(options: CutsOptions) {
    this.#options = options;
    this.#loop = this.#keepCutting();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #keepCutting(): Promise<void> {
    const { workers, observer, books, seed, everyMs } = this.#options;
    const random = seededRandom(seed);
    for (let turn = 0; !this.#stopping.signal.aborted; turn++) {
      await pause(everyMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) return;
      const hit = workers[turn % workers.length];
      if (hit === undefined) return;
      const { worker, proxy } = hit;
      const fault = random.pick(faults);
      const isFatal = fault.kind !== "stall" && fault.kind !== "delay";
      const { connections } = proxy.counters();
      if (isFatal) books.cut(worker.name);
      proxy.apply(fault);
      if (!isFatal) continue;
      await proxy.accepted(connections + 1);
      await untilAnswered(this.#ledger, observer.runtime, worker.echo);
      // Its types are there; its subscriptions are when something that was published now comes.
      const answeredMs = performance.now();
      await books.until(() => books.hasHadSince(worker.reader, answeredMs));
      books.back(worker.name);
      this.reconnects++;
    }
  }
}
