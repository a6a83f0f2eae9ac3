import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { MemoryStateStore, type StateStore } from "troupe/storage";
import { openSqliteStore } from "troupe/storage/sqlite";
import type { Contender, Round } from "../support/contender.ts";

/** Savers that write at the same time. */
export interface StoreLoad {
  readonly savers: number;
}

type StoreKind =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly synchronous: "full" | "normal"; readonly thread?: boolean };

/** A store in this process, on a file in the folder for temporary files. */
export class StoreContender implements Contender<StoreLoad> {
  readonly name: string;
  readonly #kind: StoreKind;
  #folder = "";
  #store: StateStore | undefined;

  constructor(name: string, kind: StoreKind) {
    this.name = name;
    this.#kind = kind;
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "troupe-bench-state-"));
    const { kind, ...options } = this.#kind;
    const file = join(this.#folder, "store.db");
    this.#store = kind === "memory" ? new MemoryStateStore() : await openSqliteStore(file, options);
    await this.#store.open();
  }

  async measure({ savers }: StoreLoad, seconds: number): Promise<Round> {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const latencies: number[] = [];
    const startMs = performance.now();
    const endMs = startMs + seconds * 1_000;
    await Promise.all(Array.from({ length: savers }, (_, index) => this.#save(String(index), endMs, latencies)));
    const tookMs = performance.now() - startMs;
    delay.disable();
    latencies.sort((a, b) => a - b);
    const at = (share: number) => (latencies[Math.floor(latencies.length * share)] ?? 0) * 1_000;
    return {
      perSecond: latencies.length / (tookMs / 1_000),
      p50Us: at(0.5),
      p99Us: at(0.99),
      "loop delay p99Us": delay.percentile(99) / 1_000,
    };
  }

  async stop(): Promise<void> {
    await this.#store?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #save(key: string, endMs: number, latencies: number[]): Promise<void> {
    const store = this.#store;
    if (store === undefined) throw new Error("It is not started.");
    const agent = { type: "counter", key };
    const record = await store.load(agent);
    let eTag = record === undefined || record === "unchanged" ? undefined : record.eTag;
    const write = { at: "put", contentType: "application/json", schemaVersion: 1, data: new Uint8Array(512) } as const;
    const rest = { epoch: undefined, reminders: [], mail: [], remembered: [] };
    for (let nowMs = performance.now(); nowMs < endMs; ) {
      const expected = eTag === undefined ? ({ at: "nothing" } as const) : ({ at: "version", eTag } as const);
      const [outcome] = await store.commit([{ agent, expected, write, ...rest }]);
      if (outcome?.at !== "committed") throw new Error(`A commit has failed: ${JSON.stringify(outcome)}`);
      eTag = outcome.eTag;
      const doneMs = performance.now();
      latencies.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  }
}
