import { describe, expect, test } from "vitest";
import { startTestHost } from "../../../src/testing/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { add, type Body, id, Keeper } from "../../contract/agent-runtime/keepers.ts";
import { Ask } from "../../contract/agent-runtime/world.ts";
import { HeldOutcomes } from "../../support/held-outcomes.ts";
import { Opened } from "../../support/opened.ts";
import { WatchedStore } from "../../support/watched-store.ts";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

describe.each([0, 10])("an agent with runAhead %i that a call of its own turn has destroyed", (runAhead) => {
  async function openKeeper(opened: Opened, body: (held: HeldOutcomes) => Body) {
    const stateStore = new WatchedStore();
    const host = opened.use(await startTestHost({ stateStore }));
    const dialer = new HeldOutcomes(host.dialer);
    const worker = opened.use(new WorkerRuntime({ ...host, dialer, logger: quiet }));
    const caller = opened.use(new WorkerRuntime({ ...host, logger: quiet }));
    caller.addMessageSerializer([Ask]);
    await Promise.all([worker.start(), caller.start()]);
    const made: Keeper[] = [];
    const make = () => {
      const keeper = new Keeper(body(dialer));
      made.push(keeper);
      return keeper;
    };
    await Keeper.register(worker, "keeper", make, { runAhead });
    const ask = async (text: string) => (await caller.sendMessage(Ask({ text }), id)).text;
    return { stateStore, made, ask };
  }

  test("keeps what its turns change once they have the answer, though the host's outcome comes behind that", async () => {
    await using opened = new Opened();
    const { ask, stateStore, made } = await openKeeper(opened, (held) => async (text, agent) => {
      if (text === "end") {
        // Its answer, and the request of the next call.
        held.holdFor(2);
        return agent.destroySelf();
      }
      if (text !== "outer") return add(text, agent);
      add("1", agent);
      await agent.sendMessage(Ask({ text: "end" }), id);
      add("20", agent);
      return (await agent.sendMessage(Ask({ text: "300" }), id)).text;
    });
    await ask("4000");
    expect(await ask("outer")).toBe("320");
    expect(await stateStore.stored(id)).toEqual({ total: 320, log: ["20", "300"] });
    expect(await ask("5")).toBe("325");
    expect(made).toHaveLength(2);
  });

  test("has its state back if the host could not delete it", async () => {
    await using opened = new Opened();
    const { ask, stateStore } = await openKeeper(opened, () => async (text, agent, { signal }) => {
      if (text === "end") return agent.destroySelf();
      if (text !== "outer") return add(text, agent);
      add("10", agent);
      const inner = agent.sendMessage(Ask({ text: "end" }), id, { signal });
      return await inner.then(
        () => "destroyed",
        () => add("200", agent),
      );
    });
    await ask("1");
    stateStore.decide = ({ write }) => (write.at === "delete" ? { at: "refused", limit: "no deletions" } : undefined);
    const outer = await ask("outer").catch(() => "failed");
    const isUndone = runAhead > 0;
    expect(outer).toBe(isUndone ? "failed" : "211");
    expect(await ask("5")).toBe(isUndone ? "6" : "216");
    stateStore.decide = () => undefined;
    expect(await stateStore.stored(id)).toMatchObject({ total: isUndone ? 6 : 216 });
  });
});
