import fc from "fast-check";
import { expect, test } from "vitest";
import { SingleThreadedAgentRuntime } from "../../../src/core/index.ts";
import type { Commit, CommitOutcome } from "../../../src/core/internal.ts";
import { MemoryStateStore, StoreError } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { AskPoem, KeptPoet, poet, readAll } from "../../support/kept-poets.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** The fate of one commit of a run. `lost`: it is written, and its writer does not hear of that. */
type Fate = "written" | "refused" | "lost" | "slow";

/** A store whose commits of runs have fates, and that dies with one of them. */
class FatefulStore extends MemoryStateStore {
  readonly #fates: readonly Fate[];
  readonly #lives: number;
  #commits = 0;

  constructor(clock: ManualClock, fates: readonly Fate[], lives: number) {
    super({ clock });
    this.#fates = fates;
    this.#lives = lives;
  }

  override async commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    if (!commits.some(({ runs = [] }) => runs.length > 0)) return super.commit(commits);
    const fate = this.#fates[this.#commits] ?? "written";
    this.#commits += 1;
    if (this.#commits > this.#lives) await this.close();
    switch (fate) {
      case "written":
        return super.commit(commits);
      case "slow":
        await rounds(3);
        return super.commit(commits);
      case "refused":
        throw new StoreError("unavailable", "the store takes nothing now");
      case "lost":
        await super.commit(commits);
        throw new StoreError("unknown", "the store says nothing");
    }
  }
}

const fate = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fate>("written") },
  fc.constantFrom<Fate>("refused", "lost", "slow"),
);
const fates = fc.array(fate, { maxLength: 12 });

test("whatever fates the commits of a run have, its readers have each chunk once and in order, here and after a loss", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(40), fates, fc.option(fc.nat(8)), fc.nat(3), async (lines, kinds, lives, pause) => {
      const clock = new ManualClock(1_000_000);
      const store = new FatefulStore(
        clock,
        ["written", ...kinds],
        lives === null ? Number.POSITIVE_INFINITY : lives + 1,
      );
      const first = await open(store, clock, pause);
      const reading = (async () => {
        await first.startRun(AskPoem({ lines }), poet, { id: "r" });
        return readAll(first, "r");
      })();
      let seen: readonly string[] | undefined;
      void reading.then((all) => {
        seen = all;
      });
      // A reader goes on for 120 s while the store is lost.
      for (let step = 0; seen === undefined && step < 400; step += 1) await pass(clock, 500);
      await store.close();
      const next = await open(store.reopen(), clock, 0);
      let late: readonly string[] | undefined;
      void readAll(next, "r").then((all) => {
        late = all;
      });
      for (let step = 0; late === undefined && step < 400; step += 1) await pass(clock, 500);
      await Promise.all([first.close(), next.close()]);
      const all = Array.from({ length: lines }, (_, line) => `${line} line ${line}`);
      for (const [who, one = []] of Object.entries({ seen, late })) {
        const chunks = one.slice(0, -1);
        expect(chunks, who).toEqual(all.slice(0, chunks.length));
      }
      // The next runtime has all that the first one has shown, and tells the same answer.
      expect(late?.length).toBeGreaterThanOrEqual(seen?.length ?? 0);
      const answer = seen?.at(-1) ?? "";
      if (answer.startsWith("poem")) expect(late).toEqual([...all, answer]);
      if (late?.at(-1)?.startsWith("poem") === true) expect(late.length).toBe(lines + 1);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});

async function open(stateStore: MemoryStateStore, clock: ManualClock, pause: number) {
  const runtime = new SingleThreadedAgentRuntime({ stateStore, clock, logger: new RecordingLogger() });
  await KeptPoet.register(runtime, "poet", () => new KeptPoet({ after: () => rounds(pause) }));
  await runtime.start();
  return runtime;
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  await rounds(12);
  clock.advance(ms);
}

async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) await new Promise((resolve) => setImmediate(resolve));
}
