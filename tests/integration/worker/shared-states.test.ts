import { expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { startRig, type WorkerRig } from "../../support/worker/worker-rig.ts";

const Total = defineMessage("Total", z.object({ value: z.number(), by: z.string() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

class Counter extends persistentAgent(Count) {
  static override readonly shared = true;
  static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
    this.state.total += value;
    return Total({ value: this.state.total, by: this.metadata.description });
  });
}

const ids = Array.from({ length: 20 }, (_, at) => new AgentId("counter", `k${at}`));

async function counterWorker(rig: WorkerRig, name: string) {
  const worker = await rig.worker({ name });
  await Counter.register(worker, "counter", () => new Counter(name));
  return worker;
}

test("shared persistent agents go on with their state at another worker when their own is stopped", async () => {
  await using rig = await startRig("memory");
  const first = await counterWorker(rig, "A");
  await counterWorker(rig, "B");
  const caller = await rig.worker();
  caller.addMessageSerializer([Add, Total]);
  const addToAll = () => Promise.all(ids.map((id) => caller.sendMessage(Add({ value: 1 }), id)));
  expect(new Set((await addToAll()).map(({ by }) => by))).toEqual(new Set(["A", "B"]));
  expect((await addToAll()).map(({ value }) => value)).toEqual(ids.map(() => 2));
  await first.stop();
  expect(await addToAll()).toMatchObject(ids.map(() => ({ value: 3, by: "B" })));
  await counterWorker(rig, "C");
  expect((await addToAll()).map(({ value }) => value)).toEqual(ids.map(() => 4));
  expect(rig.host.counters()).toMatchObject({ conflictingCommits: 0, staleCommits: 0 });
});

test("a shared persistent type is refused at a worker whose own store no other worker can write", async () => {
  await using rig = await startRig("memory");
  const worker = await rig.worker({ stateStore: new MemoryStateStore() });
  const refused = Counter.register(worker, "counter", () => new Counter("counts"));
  await expect(refused).rejects.toMatchObject({
    code: "invalid-argument",
    message: expect.stringContaining("Leave stateStore out, so that the host keeps the states"),
  });
});
