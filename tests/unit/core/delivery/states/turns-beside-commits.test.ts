import { expect, test } from "vitest";
import { SingleThreadedAgentRuntime } from "../../../../../src/core/index.ts";
import { StoreError } from "../../../../../src/storage/index.ts";
import { add, type Body, id, Keeper } from "../../../../contract/agent-runtime/keepers.ts";
import { Ask } from "../../../../contract/agent-runtime/world.ts";
import { Gate } from "../../../../support/gate.ts";
import { WatchedStore } from "../../../../support/watched-store.ts";

/** An agent that calls itself twice at once. The second call begins, if it may, while the commit of the first one is under way. */
async function callTwice({ isWritten, fails }: { readonly isWritten: boolean; readonly fails: boolean }) {
  const store = new WatchedStore();
  const decided = new Gate();
  store.afterCommit = () => setImmediate(decided.open);
  const runtime = new SingleThreadedAgentRuntime({ stateStore: store });
  await runtime.start();
  const [saving, go] = [new Gate(), new Gate()];
  let commits = 0;
  store.beforeCommit = async () => {
    commits += 1;
    if (commits > 1) return;
    saving.open();
    await go.opened;
    if (!isWritten) throw new StoreError("unavailable", "The disk is gone.");
  };
  const body: Body = async (text, agent) => {
    if (text === "1") return add(text, agent);
    if (text === "20") {
      add(text, agent);
      if (!fails) return undefined;
      await decided.opened;
      throw new Error("it failed");
    }
    const first = agent.sendMessage(Ask({ text: "1" }), id);
    await saving.opened;
    agent.state.log.push("beside");
    const calls = Promise.allSettled([first, agent.sendMessage(Ask({ text: "20" }), id)]);
    await new Promise((resolve) => setImmediate(resolve));
    go.open();
    return (await calls).map(({ status }) => status).join(" ");
  };
  await Keeper.register(runtime, "keeper", () => new Keeper(body));
  const { text } = await runtime.sendMessage(Ask({ text: "outer" }), id);
  const stored = await store.stored(id);
  await runtime.close();
  return { text, stored };
}

test("a call inside a turn that is answered is stored, also if the commit of another one fails before", async () => {
  const { text, stored } = await callTwice({ isWritten: false, fails: false });
  expect(text).toBe("rejected fulfilled");
  expect(stored).toMatchObject({ total: 20, log: expect.arrayContaining(["20"]) });
});

test("a call inside a turn that fails takes back its own changes alone, also beside the commit of another one", async () => {
  const { text, stored } = await callTwice({ isWritten: true, fails: true });
  expect(text).toBe("fulfilled rejected");
  expect(stored).toEqual({ total: 1, log: ["1", "beside"] });
});
