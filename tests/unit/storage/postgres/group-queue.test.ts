import { expect, test } from "vitest";
import { nextTurn } from "../../../../src/core/internal.ts";
import type { EncodedWrite } from "../../../../src/storage/postgres/encode-writes.ts";
import { GroupQueue, type QueuedWrites } from "../../../../src/storage/postgres/group-queue.ts";

function writeOf(agent: string, bytes = 1): EncodedWrite {
  return { agents: [agent], touchesMail: false, generation: 0, fields: { agent }, bytes: Buffer.alloc(bytes) };
}

/** A queue whose groups stay under way until the test ends them. */
class HeldQueue {
  readonly queue = new GroupQueue((group) => this.#hold(group));
  readonly #held: { readonly group: readonly QueuedWrites[]; readonly end: () => void }[] = [];

  /** The agents of each group under way. */
  get groups(): readonly (readonly string[])[] {
    return this.#held.map(({ group }) => group.flatMap((part) => part.agents));
  }

  /** Ends the oldest group, and waits until the next ones are under way. */
  async end(error?: Error): Promise<void> {
    const held = this.#held.shift();
    if (held === undefined) throw new Error("No group is under way.");
    for (const part of held.group) {
      part.state = error === undefined ? "done" : "failed";
      if (error === undefined) part.resolve(part.agents);
      else part.reject(error);
    }
    held.end();
    await nextTurn();
    await nextTurn();
  }

  #hold(group: readonly QueuedWrites[]): Promise<void> {
    return new Promise((end) => this.#held.push({ group, end }));
  }
}

const agents = (count: number, prefix = "a") => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test("what is asked in one turn of the event loop is one group, of at most 64 writes", async () => {
  const held = new HeldQueue();
  const asked = agents(150).map((agent) => held.queue.add([writeOf(agent)]));
  await nextTurn();
  expect(held.groups.map(({ length }) => length)).toEqual([64, 64]);
  await held.end();
  expect(held.groups.map(({ length }) => length)).toEqual([64, 22]);
  await held.end();
  await held.end();
  expect((await Promise.all(asked)).flat()).toEqual(agents(150));
});

test("a group has at most 4 MiB, or one larger write", async () => {
  const held = new HeldQueue();
  const megabyte = 1024 * 1024;
  for (const agent of agents(6)) void held.queue.add([writeOf(agent, megabyte)]);
  void held.queue.add([writeOf("large", 5 * megabyte)]);
  await nextTurn();
  expect(held.groups.map(({ length }) => length)).toEqual([4, 2]);
  await held.end();
  expect(held.groups[1]).toEqual(["large"]);
});

test("two groups under way have no agent in common, and an agent's writes keep their order", async () => {
  const held = new HeldQueue();
  void held.queue.add([writeOf("hot")]);
  await nextTurn();
  // The second of these waits for the first group, and the third behind the second.
  void held.queue.add([writeOf("other")]);
  void held.queue.add([writeOf("hot"), writeOf("behind")]);
  void held.queue.add([writeOf("behind")]);
  void held.queue.add([writeOf("free")]);
  await nextTurn();
  expect(held.groups).toEqual([["hot"], ["other", "free"]]);
  await held.end();
  expect(held.groups).toEqual([
    ["other", "free"],
    ["hot", "behind", "behind"],
  ]);
});

test("a call of many writes goes in parts, one after the other; a part behind one that failed is not tried", async () => {
  const held = new HeldQueue();
  const call = held.queue.add(agents(130).map((agent) => writeOf(agent)));
  await nextTurn();
  expect(held.groups.map(({ length }) => length)).toEqual([64]);
  await held.end();
  expect(held.groups.map(({ length }) => length)).toEqual([64]);
  await held.end(new Error("lost"));
  expect(held.groups).toEqual([]);
  const results = await call;
  expect(results.slice(0, 64)).toEqual(agents(64));
  expect(results.slice(64)).toMatchObject([{ error: { message: "lost" } }, { error: {} }]);
});
