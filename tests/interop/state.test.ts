import { AgentId, type AgentState, NotAccessibleError } from "troupe";
import { describe, expect, test } from "vitest";
import { Opened } from "../support/opened.ts";
import { FunctionAgent } from "../support/worker/function-agent.ts";
import { generations } from "./support/generations.ts";
import { Laboratory } from "./support/laboratory.ts";
import { startPythonHost, startStateStoreClient } from "./support/python-peers.ts";
import { recordedOfPythonHost } from "./support/recorded-host.ts";
import { TypeScriptWorker } from "./support/typescript-worker.ts";

const remembering = new AgentId("remembering", "k");

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`agents' states, with workers and hosts of ${generation.title}`, () => {
    test("pass between our workers on our host, also where Python workers are; theirs can't be had [§8.106] [§8.107] [§8.108]", async () => {
      await using lab = await Laboratory.start(generation);
      await lab.python([{ kind: "echo", type: "echo" }]);
      const [serving, asking] = [await lab.typescript(), await lab.typescript()];
      await remember(serving, { tune: "grüße", n: [1, { deep: null }] });
      await expectToPass(asking);
      for (const id of [new AgentId("echo", "k"), new AgentId("nobody", "k")]) {
        await expect(asking.runtime.agentSaveState(id)).rejects.toBeInstanceOf(NotAccessibleError);
        await expect(asking.runtime.agentLoadState(id, {})).rejects.toBeInstanceOf(NotAccessibleError);
      }
    });

    const onTheirHost =
      generation.number === 3
        ? "pass between our workers on Python's host, which routes them"
        : "can't be had from another worker on Python's host, which has no way for them; this is said at once";
    test(onTheirHost, async () => {
      await using opened = new Opened();
      const { address, peer } = await startPythonHost(generation);
      opened.use(peer);
      const serving = opened.use(await TypeScriptWorker.start(address));
      const asking = opened.use(await TypeScriptWorker.start(address));
      await remember(serving, { tune: "grüße", n: [1, { deep: null }] });
      if (generation.number === 3) await expectToPass(asking);
      else await expect(asking.runtime.agentSaveState(remembering)).rejects.toBeInstanceOf(NotAccessibleError);
    });
  });
}

const staleETag = "The provided ETag does not match the current ETag. The state has been modified by another request.";

/** The store that AutoGen's own hosts leave unimplemented. */
for (const generation of generations.filter(({ number }) => number < 3)) {
  describe.skipIf(generation.skipReason)(`the host's state store, through the stubs of ${generation.title}`, () => {
    test("gives back what was saved, and refuses what was saved over meanwhile [§8.3] [§8.111]", async () => {
      expect(recordedOfPythonHost(generation, "every-method-with-client-id").observed).toMatchObject({
        SaveState: { code: "UNKNOWN" },
      });
      await using lab = await Laboratory.start(generation);
      await using client = await startStateStoreClient(generation, lab.host.address);
      const load = async () => (await client.next("loaded", { id: client.send({ cmd: "load", agent: "a/k" }) })).state;
      const save = (text: string, eTag: string) => {
        const id = client.send({ cmd: "save", agent: "a/k", text, eTag });
        return client.nextOf(["saved", "error"], (event) => event.id === id);
      };
      expect(await load()).toEqual({ agent: "a/k", eTag: "", text: null });
      const fine = generation.number === 1 ? { success: true, error: "" } : {};
      expect(await save("one", "")).toMatchObject({ event: "saved", fields: fine });
      const { eTag, ...first } = await load();
      expect(first).toEqual({ agent: "a/k", text: "one" });
      expect(await save("two", eTag)).toMatchObject({ event: "saved", fields: fine });
      expect(await save("three", eTag)).toMatchObject(
        generation.number === 1
          ? { event: "saved", fields: { success: false, error: staleETag } }
          : { event: "error", code: "ABORTED", text: staleETag },
      );
      expect(await load()).toMatchObject({ text: "two" });
    });
  });
}

async function remember(worker: TypeScriptWorker, state: AgentState): Promise<void> {
  await worker.runtime.registerFactory("remembering", () => {
    const agent = new FunctionAgent();
    agent.state = state;
    return agent;
  });
}

/** Saves the state on one worker from another, loads another one, and finds that. */
async function expectToPass({ runtime }: TypeScriptWorker): Promise<void> {
  expect(await runtime.agentSaveState(remembering)).toEqual({ tune: "grüße", n: [1, { deep: null }] });
  await runtime.agentLoadState(remembering, { tune: "neu" });
  expect(await runtime.agentSaveState(remembering)).toEqual({ tune: "neu" });
}
