import { expect, it } from "vitest";
import { BatchRunner } from "../../../src/host/batch-runner.ts";
import { limits } from "../../../src/host/limits.ts";
import { TurnClock } from "../../support/turn-clock.ts";

const { batchSize, batchShare } = limits;

function setUp() {
  const clock = new TurnClock();
  const work = new BatchRunner(clock);
  let done: string[] = [];
  return {
    work,
    clock,
    task: (name: string) => () => void done.push(name),
    add: (name: string, count: number) =>
      work.add(
        name,
        Array.from({ length: count }, () => () => void done.push(name)),
      ),
    /** Names of the tasks that ran since the last look. */
    ran: () => {
      const names = done;
      done = [];
      return names;
    },
  };
}

function countOf(names: readonly string[], name: string): number {
  return names.filter((one) => one === name).length;
}

it("does short work at once", () => {
  const { clock, add, ran } = setUp();
  add("a", batchSize);
  expect(ran()).toHaveLength(batchSize);
  expect(clock.turns()).toBe(1);
});

it("does long work in later turns, a batch in each", () => {
  const { clock, add, ran } = setUp();
  add("a", 3 * batchSize);
  const perTurn = [ran().length];
  while (clock.turn()) perTurn.push(ran().length);
  expect(perTurn).toEqual([batchSize, batchSize, batchSize, 0]);
});

it("runs no more than one batch in a turn, however many add work", () => {
  const { clock, add, ran } = setUp();
  for (let index = 0; index < 100; index += 1) add(`client-${index}`, 100);
  const perTurn = [ran().length];
  while (clock.turn()) perTurn.push(ran().length);
  expect(Math.max(...perTurn)).toBe(batchSize);
  expect(perTurn.reduce((sum, count) => sum + count, 0)).toBe(10_000);
});

it("lets ten tasks of one client pass a million of another", () => {
  const { clock, work, add, ran } = setUp();
  work.add("greedy", aMillion());
  clock.turn();
  add("modest", 10);
  expect(ran()).toEqual([]);
  clock.turn();
  expect(countOf(ran(), "modest")).toBe(10);
});

it("gives every owner the same share, and keeps the order of each", () => {
  const { clock, add, ran, work, task } = setUp();
  add("first", batchSize);
  for (const name of ["a", "b", "c"]) add(name, batchSize);
  work.add("a", [task("a, last")]);
  ran();
  clock.turn();
  const names = ran();
  for (const name of ["a", "b", "c"]) {
    expect(Math.abs(countOf(names, name) - batchSize / 3)).toBeLessThanOrEqual(batchShare);
  }
  clock.turns();
  expect(
    ran()
      .filter((name) => name.startsWith("a"))
      .at(-1),
  ).toBe("a, last");
});

it("lets a client pass a thousand client ids of another address", () => {
  const { clock, work, add, ran, task } = setUp();
  add("first", batchSize);
  for (let nr = 0; nr < 1_000; nr += 1) {
    work.add(
      `greedy-${nr}`,
      Array.from({ length: 100 }, () => task("greedy")),
      "10.0.0.1",
    );
  }
  work.add(
    "modest",
    Array.from({ length: 200 }, () => task("modest")),
    "10.0.0.2",
  );
  ran();
  clock.turn();
  expect(countOf(ran(), "modest")).toBe(200);
});

it("keeps the order of a client's work, also if the client has come from another address", () => {
  const { clock, work, add, ran, task } = setUp();
  add("first", batchSize);
  for (let nr = 0; nr < 100; nr += 1)
    work.add(
      `other-${nr}`,
      Array.from({ length: 20 }, () => task("other")),
      "10.0.0.1",
    );
  work.add("client", [task("leaves")], "10.0.0.1");
  work.add("client", [task("comes back")], "10.0.0.2");
  clock.turns();
  expect(ran().filter((name) => name === "leaves" || name === "comes back")).toEqual(["leaves", "comes back"]);
});

it("runs what a task adds within the bound of the turn", () => {
  const { clock, work, ran, task } = setUp();
  const chain = (): void => {
    task("link")();
    work.add({}, [chain]);
  };
  work.add("a", [chain]);
  expect(ran()).toHaveLength(1);
  clock.turn();
  expect(ran()).toHaveLength(batchSize);
});

it("does the rest at once when it is told to finish", () => {
  const { clock, work, add, ran } = setUp();
  add("a", 5 * batchSize);
  add("b", 5 * batchSize);
  work.finish();
  expect(ran()).toHaveLength(10 * batchSize);
  expect(clock.turns()).toBe(0);
});

it("does everything at once after its end, without a timer", () => {
  const { clock, work, add, ran } = setUp();
  work.close();
  add("a", 5 * batchSize);
  expect(ran()).toHaveLength(5 * batchSize);
  expect(clock.turns()).toBe(0);
});

it("does after its end what a task adds for others and for its own owner", () => {
  const { clock, work, ran, task } = setUp();
  work.close();
  work.add("a", [
    () => {
      work.add("b", [task("b")]);
      work.add("a", [task("a")]);
    },
  ]);
  expect(ran()).toEqual(["a", "b"]);
  work.add("b", [task("b")]);
  expect(ran()).toEqual(["b"]);
  expect(clock.turns()).toBe(0);
});

function* aMillion(): Iterable<() => void> {
  for (let count = 0; count < 1_000_000; count += 1) yield () => undefined;
}
