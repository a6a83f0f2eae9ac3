import { describe, expect, it } from "vitest";
import {
  MemoryCoordinationStore,
  type StoreEntry,
  type StoreWatcher,
  type WriteOutcome,
} from "../../../src/cluster/index.ts";
import { LifeStore } from "../../../src/cluster/life-store.ts";

const key = "claim.writer.a";
const value = new Uint8Array([1]);
const written = (revision: number): WriteOutcome => ({ at: "written", revision });
const conflict = (revision: number): WriteOutcome => ({ at: "conflict", found: { key, value, revision } });

/** A life whose writes have the outcomes that the test gives, in that order. */
function lifeWith(outcomes: readonly (WriteOutcome | Promise<WriteOutcome>)[]) {
  const seen = { forgotten: 0 };
  const left = [...outcomes];
  const store = new MemoryCoordinationStore();
  store.write = async () => (await left.shift()) ?? { at: "unknown" };
  const onForgotten = (): void => {
    seen.forgotten += 1;
  };
  const watchers: StoreWatcher[] = [];
  store.watch = (_prefix, watcher) => {
    watchers.push(watcher);
    return () => undefined;
  };
  const life = new LifeStore(store, onForgotten, () => undefined);
  life.watch("", { onEntry: () => undefined, onCaughtUp: () => undefined, onReset: () => undefined });
  const tell = (entry: StoreEntry): void => {
    for (const watcher of watchers) watcher.onEntry(entry);
  };
  return { seen, life, tell };
}

describe("a host of a cluster knows that its store has forgotten a write", () => {
  it("by an older entry, also when others have written much since", async () => {
    const { seen, life } = lifeWith([written(10), written(20), conflict(7)]);
    await life.write(key, value, 7);
    await life.write("claim.writer.b", value, 0);
    await life.write(key, value, 0);
    expect(seen.forgotten).toBe(1);
  });

  it("and takes no entry for older that it finds as it has written it", async () => {
    const { seen, life } = lifeWith([written(10), conflict(10), conflict(12)]);
    await life.write(key, value, 0);
    await life.write(key, value, 0);
    await life.write(key, value, 10);
    expect(seen.forgotten).toBe(0);
  });

  it("and takes no answer for older that was on its way before its own write", async () => {
    let answer: (outcome: WriteOutcome) => void = () => undefined;
    const late = new Promise<WriteOutcome>((resolve) => {
      answer = resolve;
    });
    const { seen, life } = lifeWith([late, written(10)]);
    const first = life.write(key, value, 5);
    await life.write(key, value, 6);
    answer(conflict(6));
    await first;
    expect(seen.forgotten).toBe(0);
  });

  it("of its last 1,000 keys", async () => {
    const count = 1_001;
    const { seen, life } = lifeWith([
      ...Array.from({ length: count }, (_, at) => written(at + 1)),
      ...[conflict(0), conflict(1)],
    ]);
    for (let at = 0; at < count; at += 1) await life.write(`claim.writer.${at}`, value, 0);
    await life.write("claim.writer.0", value, 0);
    expect(seen.forgotten).toBe(0);
    await life.write("claim.writer.1", value, 0);
    expect(seen.forgotten).toBe(1);
  });

  it("by a revision that another entry had, though nothing older is written any more", async () => {
    const { seen, life, tell } = lifeWith([written(102)]);
    tell({ key: "worker.a", value, revision: 100 });
    tell({ key: "worker.a", value, revision: 100 });
    expect(seen.forgotten).toBe(0);
    tell({ key: "host.b", value, revision: 100 });
    expect(seen.forgotten).toBe(1);
    await life.write("serve.writer.a", value, 0);
    expect(seen.forgotten).toBe(1);
  });

  it("of its last 1,000 revisions", () => {
    const { seen, tell } = lifeWith([]);
    for (let revision = 1; revision <= 1_001; revision += 1) tell({ key: "worker.a", value, revision });
    tell({ key: "host.b", value, revision: 1 });
    expect(seen.forgotten).toBe(0);
    tell({ key: "host.b", value, revision: 1_001 });
    expect(seen.forgotten).toBe(1);
  });
});
