import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/core/index.ts";
import { commitOf, putOf, textOf } from "../../../src/testing/contracts/state-store/store-case.ts";
import { describeStateStore } from "../../../src/testing/contracts/state-store.ts";
import { Dice, SimulatedStateStore, type SimulatedStoreFault, Simulation } from "../../../src/testing/index.ts";

function simulated(store: unknown): SimulatedStateStore {
  if (!(store instanceof SimulatedStateStore)) throw new Error("It is another store.");
  return store;
}

/** The clock of the suite, whose timers come by themselves. */
function running(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    wallNow: () => clock.wallNow(),
    setTimer: (_delayMs, callback) => {
      const immediate = setImmediate(callback);
      return { cancel: () => clearImmediate(immediate) };
    },
  };
}

function breakAs(fault: SimulatedStoreFault) {
  return (store: unknown) => {
    simulated(store).break(fault);
    return () => simulated(store).mend();
  };
}

describeStateStore(
  "simulated",
  {
    create: ({ clock, mail }) => new SimulatedStateStore({ clock: running(clock), dice: new Dice(1), ...mail }),
    reopen: (store) => simulated(store).reopen(),
    faults: { full: breakAs("full"), unavailable: breakAs("lost") },
  },
  { describe, it },
);

const agent = { type: "counter", key: "k" };

function world(seed: number) {
  const simulation = new Simulation({ seed });
  const store = new SimulatedStateStore({ clock: simulation.clock, dice: simulation.dice.fork("store") });
  return { simulation, store };
}

describe("a simulated store", () => {
  it("answers in the order of the asks, after 1 to 40 ms", async () => {
    const { simulation, store } = world(1);
    await simulation.run(store.open());
    const order: number[] = [];
    const asks = Array.from({ length: 100 }, (_, number) => number).map(async (number) => {
      await (number % 2 === 0 ? store.commit([putOf(String(number))]) : store.load(agent));
      order.push(number);
    });
    const startMs = simulation.clock.now();
    await simulation.run(Promise.all(asks));
    expect(order).toEqual(order.toSorted((one, other) => one - other));
    expect(simulation.clock.now() - startMs).toBeGreaterThanOrEqual(1);
    expect(simulation.clock.now() - startMs).toBeLessThanOrEqual(40);
  });

  it("has done the first of the writes that were under way when its process is killed, and answers none", async () => {
    const counts = new Set<number>();
    for (let seed = 1; seed <= 30; seed += 1) {
      const { simulation, store } = world(seed);
      const process = simulation.process("host");
      const held = store.reopen(process);
      await simulation.run(held.open());
      let answers = 0;
      for (const key of ["a", "b", "c"]) {
        void held.commit([putOf(key, { agent: { type: "counter", key } })]).finally(() => {
          answers += 1;
        });
      }
      process.kill();
      await simulation.settle();
      const { records } = await store.data.list();
      expect(records.map(({ agent: { key } }) => key)).toEqual(["a", "b", "c"].slice(0, records.length));
      expect(answers).toBe(0);
      counts.add(records.length);
    }
    expect([...counts].sort()).toEqual([0, 1, 2, 3]);
  });

  it("that is lost says unknown of writes, of which some have happened", async () => {
    const { simulation, store } = world(1);
    await simulation.run(store.open());
    store.break("lost");
    let done = 0;
    for (let at = 0; at < 30; at += 1) {
      await expect(simulation.run(store.commit([putOf(String(at))]))).rejects.toMatchObject({ storeCode: "unknown" });
      const record = await store.data.load(agent);
      if (record !== undefined && record !== "unchanged" && textOf(record.data) === String(at)) done += 1;
    }
    await expect(simulation.run(store.load(agent))).rejects.toMatchObject({ storeCode: "unavailable" });
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(30);
    store.mend();
    await simulation.run(store.commit([putOf("mended")]));
  });

  it("tells of each commit that has happened", async () => {
    const simulation = new Simulation({ seed: 1 });
    const seen: string[] = [];
    const store = new SimulatedStateStore({
      clock: simulation.clock,
      dice: simulation.dice,
      onCommitted: ({ write }, { revision }) => seen.push(`${write.at} ${revision}`),
    });
    await simulation.run(store.open());
    const refused = putOf("two", { expected: { at: "nothing" } });
    await simulation.run(store.commit([putOf("one"), refused, commitOf({ write: { at: "delete" } })]));
    expect(seen).toEqual(["put 1", "delete 0"]);
  });
});
