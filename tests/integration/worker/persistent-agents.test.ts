import { expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });
const id = new AgentId("counter", "k");

class Counter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
    this.state.total += value;
    return Total({ value: this.state.total });
  });
}

test("a worker that stops waits for the commit of a turn, so that the next one finds it", async () => {
  const store = new WatchedStore();
  const committing = new Gate();
  const gate = new Gate();
  store.beforeCommit = async () => {
    committing.open();
    await gate.opened;
  };
  await using rig = await startRig();
  const caller = await rig.worker();
  const first = await rig.worker({ stateStore: store });
  await Counter.register(first, "counter", () => new Counter("counts"));
  const answer = caller.sendMessage(Add({ value: 2 }), id);
  await committing.opened;
  const stopped = first.stop();
  gate.open();
  expect((await answer).value).toBe(2);
  await stopped;
  const second = await rig.worker({ stateStore: store });
  await Counter.register(second, "counter", () => new Counter("counts"));
  expect((await caller.sendMessage(Add({ value: 3 }), id)).value).toBe(5);
});
