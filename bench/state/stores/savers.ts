import { monitorEventLoopDelay } from "node:perf_hooks";
import type { StateStore } from "troupe/storage";
import type { Round } from "../../support/contender.ts";

/** Savers that write at the same time. */
export interface StoreLoad {
  readonly savers: number;
}

/** Saves 512 bytes of one agent; resolves when they are committed. */
export type Saver = () => Promise<void>;

/** Lets savers save without a pause, each an agent of its own. */
export async function measureSavers(
  count: number,
  seconds: number,
  makeSaver: (key: string) => Promise<Saver>,
): Promise<Round> {
  const savers = await Promise.all(Array.from({ length: count }, (_, index) => makeSaver(String(index))));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const latencies: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  await Promise.all(
    savers.map(async (save) => {
      for (let nowMs = performance.now(); nowMs < endMs; ) {
        await save();
        const doneMs = performance.now();
        latencies.push(doneMs - nowMs);
        nowMs = doneMs;
      }
    }),
  );
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

/** A saver of one agent in a store, by compare-and-set. */
export async function saverOf(store: StateStore, key: string): Promise<Saver> {
  const agent = { type: "counter", key };
  const record = await store.load(agent);
  let eTag = record === undefined || record === "unchanged" ? undefined : record.eTag;
  const write = { at: "put", contentType: "application/json", schemaVersion: 1, data: new Uint8Array(512) } as const;
  const rest = { epoch: undefined, reminders: [], mail: [], remembered: [] };
  return async () => {
    const expected = eTag === undefined ? ({ at: "nothing" } as const) : ({ at: "version", eTag } as const);
    const [outcome] = await store.commit([{ agent, expected, write, ...rest }]);
    if (outcome?.at !== "committed") throw new Error(`A commit has failed: ${JSON.stringify(outcome)}`);
    eTag = outcome.eTag;
  };
}
