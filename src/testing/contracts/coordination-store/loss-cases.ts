import { deepEqual, equal, ok } from "node:assert/strict";
import {
  assertConflict,
  assertHas,
  bytesOf,
  type CoordinationCase,
  type CoordinationFaults,
  textOf,
  WatchRecorder,
  written,
} from "./coordination-case.ts";

/** Lost answers, restarts and expiry, as far as an adapter has them. */
export function lossCases({ loseAnswers, restart, letADayPass }: CoordinationFaults): readonly CoordinationCase[] {
  const cases: CoordinationCase[] = [];
  if (loseAnswers !== undefined) {
    cases.push({
      promise: "says unknown of a write whose answer is lost, and a later write settles it",
      tryIt: async (lab) => {
        const store = await lab.create();
        const other = await lab.another(store);
        const revision = await written(store, "worker.a", "1");
        const endLoss = await loseAnswers(store);
        deepEqual(await store.write("worker.a", bytesOf("2"), revision), { at: "unknown" });
        equal(await store.read("worker.a", { fresh: true }), "unknown");
        await endLoss();
        const again = await store.write("worker.a", bytesOf("2"), revision);
        // Either the lost write was first, which the conflict shows, or it never will be.
        if (again.at === "written") return assertHas(other, "worker.a", "2", again.revision);
        assertConflict(again, "2");
        if (again.at === "conflict") await assertHas(other, "worker.a", "2", again.found?.revision ?? 0);
      },
    });
  }
  if (restart !== undefined) {
    cases.push({
      promise: "keeps its entries and its watches through a restart",
      tryIt: async (lab) => {
        const store = await lab.create();
        const watch = new WatchRecorder();
        store.watch("worker.", watch);
        const first = await written(store, "worker.a", "1");
        await watch.told("worker.a", "1");
        await restart(store);
        let revision = first;
        for (let isWritten = false; !isWritten; ) {
          const outcome = await store.write("worker.a", bytesOf("2"), revision);
          // A write that was unknown may have happened.
          if (outcome.at === "conflict") revision = outcome.found?.revision ?? 0;
          isWritten = outcome.at === "written";
        }
        await watch.told("worker.a", "2");
        await watch.until(() => watch.caughtUp === watch.resets + 1);
      },
    });
  }
  if (letADayPass !== undefined) {
    cases.push({
      promise: "forgets a claim 24 hours after its last write, and nothing else",
      tryIt: async (lab) => {
        const store = await lab.create();
        const claimed = await written(store, "claim.a.b", "1");
        const worker = await written(store, "worker.a", "1");
        await letADayPass(store, lab.clock);
        equal(await store.read("claim.a.b", { fresh: true }), undefined);
        await assertHas(store, "worker.a", "1", worker);
        const again = await store.write("claim.a.b", bytesOf("2"), 0);
        ok(again.at === "written" && again.revision > claimed);
        const found = await store.read("claim.a.b", { fresh: true });
        ok(found !== undefined && found !== "unknown" && textOf(found.value) === "2");
      },
    });
  }
  return cases;
}
