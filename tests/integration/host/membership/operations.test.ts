import { expect, it } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../../src/core/index.ts";
import { operationsOf } from "../../../../src/host/internal.ts";
import { WorkerRuntime } from "../../../../src/worker/index.ts";
import { type ClusterHostRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { Opened } from "../../../support/opened.ts";
import { sharedMemoryStores } from "../../../support/shared-memory-store.ts";

const Total = defineMessage("OperatedTotal", z.object({ total: z.number() }));
const Add = defineMessage("OperatedAdd", z.object({}), { answer: Total });
class Counter extends persistentAgent(defineState(z.object({ total: z.number() }), { initial: { total: 0 } })) {
  static override readonly handlers = handlerTable<Counter>().rpc(Add, function () {
    this.state.total += 1;
    return Total({ total: this.state.total });
  });
}

it.each(["exclusive", "shared"] as const)(
  "an operator of one host ends an agent of a type that is %s, whose worker is at another host",
  async (sharing) => {
    const [transport] = clusterTransports;
    if (transport === undefined) throw new Error("There are memory links.");
    await using opened = new Opened();
    const stores = sharedMemoryStores();
    const rig = opened.use(await transport.start({ host: () => ({ stateStore: stores() }) }));
    const start = async ({ dial, host }: ClusterHostRig) => {
      const runtime = opened.use(new WorkerRuntime({ dialer: { dial: () => dial() }, address: host.address }));
      await runtime.start();
      runtime.addMessageSerializer(Add);
      runtime.addMessageSerializer(Total);
      return runtime;
    };
    const [serving, caller] = [await start(rig.two), await start(rig.one)];
    await Counter.register(serving, "counter", () => new Counter("counts"), { shared: sharing === "shared" });
    const id = new AgentId("counter", "k");
    const agents = operationsOf(rig.one.host.servicer).agents;
    const { signal } = new AbortController();
    const add = async () => (await caller.sendMessage(Add({}), id)).total;
    expect([await add(), await add()]).toEqual([1, 2]);
    expect(await agents.deactivate({ type: "counter", key: "k" }, signal)).toBe(true);
    expect(await add()).toBe(3);
    expect(await agents.destroy({ type: "counter", key: "k" }, signal)).toBe(true);
    expect(await add()).toBe(1);
    expect(await agents.deactivate({ type: "counter", key: "other" }, signal)).toBe(sharing === "exclusive");
    expect(await agents.deactivate({ type: "nobody", key: "k" }, signal)).toBe(false);
  },
);
