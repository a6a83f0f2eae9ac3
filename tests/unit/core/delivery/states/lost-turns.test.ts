import { expect, test } from "vitest";
import { SingleThreadedAgentRuntime } from "../../../../../src/core/index.ts";
import { add, id, Keeper } from "../../../../contract/agent-runtime/keepers.ts";
import { Ask } from "../../../../contract/agent-runtime/world.ts";
import { Gate } from "../../../../support/gate.ts";
import { WatchedStore } from "../../../../support/watched-store.ts";

test("a turn of an instance that goes on without its state is tried again, also if a call inside it has loaded that anew", async () => {
  const store = new WatchedStore();
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  await runtime.start();
  let runs = 0;
  const keeper = new Keeper(async (text, agent, { signal }) => {
    if (text !== "outer") return add(text, agent);
    runs += 1;
    if (runs > 1) return add("100", agent);
    agent.state.total = -1;
    await store.write(id, { total: 10, log: [] });
    await agent.saveNow().catch(() => undefined);
    return (await agent.sendMessage(Ask({ text: "5" }), id, { signal })).text;
  });
  await keeper.registerInstance(runtime, id);
  expect(await runtime.sendMessage(Ask({ text: "outer" }), id)).toMatchObject({ text: "115" });
  expect([runs, await store.stored(id)]).toEqual([2, { total: 115, log: ["5", "100"] }]);
  await runtime.close();
});

test("a runtime that closes while a turn saves writes nothing that the turn saves afterwards", async () => {
  const store = new WatchedStore();
  const [saving, held, over] = [new Gate(), new Gate(), new Gate()];
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  await Keeper.register(
    runtime,
    "keeper",
    () =>
      new Keeper(async (_text, agent) => {
        agent.state.total = 1;
        await agent.saveNow().catch(() => undefined);
        agent.state.total = 2;
        await agent.saveNow().catch(() => undefined);
        over.open();
      }),
  );
  await runtime.start();
  store.beforeCommit = () => {
    saving.open();
    return held.opened;
  };
  const call = runtime.sendMessage(Ask({ text: "half" }), id).catch((error: unknown) => error);
  await saving.opened;
  const closed = runtime.close();
  expect(await call).toMatchObject({ code: "shutting-down" });
  await new Promise((resolve) => setImmediate(resolve));
  store.beforeCommit = () => undefined;
  held.open();
  await Promise.all([closed, over.opened]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await store.stored(id)).toMatchObject({ total: 1 });
});
