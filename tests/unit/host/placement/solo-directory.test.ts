import { describe, expect, it } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { SoloDirectory } from "../../../../src/host/placement/solo-directory.ts";
import { SharedType } from "../../../../src/host/registry/shared-type.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

/** A directory, the types of which have eras of their own; counts the tasks that it gives its runner. */
function openDirectory() {
  const batches = new BatchRunner(new ManualClock());
  let tasks = 0;
  const counted = {
    add(owner: unknown, work: Iterable<() => void>): void {
      batches.add(owner, counting(work));
    },
  };
  function* counting(work: Iterable<() => void>): Iterable<() => void> {
    for (const task of work) {
      tasks += 1;
      yield task;
    }
  }
  const directory = new SoloDirectory({
    ...{ maxClaims: 1_000_000, generation: () => 1 },
    // Of the runner the directory uses `add` alone.
    batches: Object.assign(Object.create(batches), counted),
  });
  let era = 0;
  const typeOf = (name: string): SharedType => {
    era += 1;
    return new SharedType({ name, era, terms: { placement: undefined, requires: {} }, principal: undefined });
  };
  const claim = (type: SharedType, key: string) => directory.claim({ type, key, workerId: "W", party: "p" });
  return { directory, batches, typeOf, claim, tasks: () => tasks };
}

describe("the directory of a host", () => {
  it("looks for no claims of types that go and have none, however many they are and however many claims there are", () => {
    const { directory, typeOf, claim, tasks } = openDirectory();
    const room = typeOf("room");
    for (let at = 0; at < 20_000; at += 1) claim(room, `${at}`);
    for (let at = 0; at < 1_000; at += 1) directory.typeGone(typeOf(`empty-${at}`));
    expect(tasks()).toBe(0);
  });

  it("frees the claims of all types that go together by one search, and no others", () => {
    const { directory, batches, typeOf, claim, tasks } = openDirectory();
    const room = typeOf("room");
    for (let at = 0; at < 20_000; at += 1) claim(room, `${at}`);
    const gone = Array.from({ length: 500 }, (_, at) => typeOf(`gone-${at}`));
    for (const type of gone) claim(type, "k");
    for (const type of gone) directory.typeGone(type);
    expect(directory.list({ type: "gone-499" }).claims).toEqual([]);
    batches.finish();
    expect(directory.size).toBe(20_000);
    // As many as one turn has, then one search for the others. One search for each took 10,000.
    expect(tasks()).toBeLessThan(1_000);
    claim(gone[0] ?? room, "k");
    expect(directory.size).toBe(20_001);
  });

  it("goes on freeing when the last claim of a type that goes is freed by the end of its worker", () => {
    const { directory, batches, typeOf, claim } = openDirectory();
    const [first, second] = [typeOf("first"), typeOf("second")];
    for (let at = 0; at < 60_000; at += 1) claim(first, `${at}`);
    directory.typeGone(first);
    directory.workerGone("W");
    batches.finish();
    expect(directory.size).toBe(0);
    claim(second, "k");
    directory.typeGone(second);
    batches.finish();
    expect(directory.size).toBe(0);
  });

  it("lists the claims of one type or one worker, and passes over the others", () => {
    const { directory, typeOf, claim } = openDirectory();
    const [room, mushroom] = [typeOf("room"), typeOf("mush-room")];
    claim(room, "a");
    claim(mushroom, "b");
    directory.claim({ type: room, key: "c", workerId: "V", party: "p" });
    expect(directory.list({ type: "room" }).claims.map(({ key }) => key)).toEqual(["a", "c"]);
    expect(directory.list({ workerId: "V" }).claims.map(({ key }) => key)).toEqual(["c"]);
  });

  it("passes over few claims at once when an operator looks for those of a type that has none", () => {
    const { directory, typeOf, claim } = openDirectory();
    const room = typeOf("room");
    for (let at = 0; at < 5_000; at += 1) claim(room, `${at}`);
    const page = directory.list({ type: "none", limit: 500 });
    expect(page.claims).toEqual([]);
    // The batch runner takes 500 such pages in one turn of the event loop.
    expect(page.next).toBeLessThanOrEqual(200);
  });
});
