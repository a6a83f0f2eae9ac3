import { expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { startRig, type WorkerRig } from "../../support/worker/worker-rig.ts";

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
const id = new AgentId("counter", "a");

/** What happens in the turns of all counters. */
interface Turns {
  readonly begun: string[];
  readonly gate: Gate;
}

class Counter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Counter>().rpc(Add, async function ({ value }) {
    this.turns.begun.push(this.worker);
    await this.turns.gate.opened;
    this.state.total += value;
    return Total({ value: this.state.total });
  });
  readonly worker: string;
  readonly turns: Turns;

  constructor(worker: string, turns: Turns) {
    super("counts");
    this.worker = worker;
    this.turns = turns;
  }
}

async function startCounters(rig: WorkerRig, turns: Turns, ...names: string[]): Promise<Map<string, WorkerRuntime>> {
  const workers = new Map<string, WorkerRuntime>();
  for (const name of names) {
    const worker = await rig.worker({ name });
    await Counter.register(worker, "counter", () => new Counter(name, turns), { shared: true });
    workers.set(name, worker);
  }
  return workers;
}

test.each(["another worker", "the worker that it leaves"])(
  "the state of an agent that leaves its worker can be saved and loaded from %s",
  async (from) => {
    await using rig = await startRig("memory", { stateStore: new MemoryStateStore() });
    const turns: Turns = { begun: [], gate: new Gate() };
    const workers = await startCounters(rig, turns, "A", "B");
    const caller = await rig.worker();
    caller.addMessageSerializer([Add, Total]);
    const added = caller.sendMessage(Add({ value: 5 }), id);
    await expect.poll(() => turns.begun.length).toBe(1);
    const holder = workers.get(turns.begun[0] ?? "");
    const left = from === "another worker" ? holder?.stop() : caller.deactivateAgent(id);
    await expect.poll(() => rig.host.counters().leavingAgents).toBe(1);
    const asker = from === "another worker" ? caller : holder;
    const saved = asker?.agentSaveState(id);
    const loaded = saved?.then((state) => asker?.agentLoadState(id, state));
    turns.gate.open();
    expect(await added).toEqual(Total({ value: 5 }));
    expect(await saved).toEqual({ version: 1, state: { total: 5 } });
    await loaded;
    await left;
    expect(await caller.sendMessage(Add({ value: 1 }), id)).toEqual(Total({ value: 6 }));
  },
);

test("a worker saves the state of a shared agent that the host places with this worker", async () => {
  await using rig = await startRig("memory", { stateStore: new MemoryStateStore() });
  const workers = await startCounters(rig, { begun: [], gate: new Gate() }, "A");
  expect(await workers.get("A")?.agentSaveState(id)).toEqual({ version: 1, state: { total: 0 } });
});

test("a worker that asks for the state of a shared agent learns that a newer program has written it", async () => {
  const stateStore = new MemoryStateStore();
  await using rig = await startRig("memory", { stateStore });
  const turns: Turns = { begun: [], gate: new Gate() };
  const worker = await rig.worker();
  await Counter.register(worker, "counter", () => new Counter("A", turns), { shared: true });
  const asker = await rig.worker();
  const data = new TextEncoder().encode('{"total":1}');
  const write = { at: "put", contentType: "application/json", schemaVersion: 2, data } as const;
  const rest = { epoch: undefined, expected: { at: "anything" }, reminders: [], mail: [], remembered: [] } as const;
  await stateStore.commit([{ agent: { type: id.type, key: id.key }, write, ...rest }]);
  const tooNew = { code: "state-too-new", message: expect.stringContaining("The state of counter/a has version 2") };
  for (const one of [asker, worker]) {
    await expect(one.agentSaveState(id)).rejects.toMatchObject(tooNew);
    await expect(one.agentLoadState(id, { total: 1 })).rejects.toMatchObject(tooNew);
  }
});
