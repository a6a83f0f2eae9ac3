import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  handlerTable,
  persistentAgent,
  SingleThreadedAgentRuntime,
} from "../../../../src/core/index.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { putOf } from "../../../../src/testing/contracts/state-store/store-case.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const Text = defineMessage("Text", z.object({ text: z.string() }));
const Read = defineMessage("Read", z.object({}), { answer: Text });

test.each([
  ["resolves", async (old: object) => old],
  ["rejects", () => Promise.reject(new Error("no such table"))],
])("a state whose migration %s later is unreadable, and not read as an empty one", async (_what, migration) => {
  // Every object fits this schema, also a promise.
  const Note = defineState(z.object({ text: z.string().optional() }), {
    initial: {},
    version: 2,
    migrations: { 1: migration },
  });
  class Notes extends persistentAgent(Note) {
    static override readonly handlers = handlerTable<Notes>().rpc(Read, function () {
      return Text({ text: this.state.text ?? "nothing" });
    });
  }
  const stateStore = new MemoryStateStore();
  await stateStore.open();
  const id = new AgentId("notes", "a");
  await stateStore.commit([putOf('{"text":"kept"}', { agent: { type: "notes", key: "a" } })]);
  await using runtime = new SingleThreadedAgentRuntime({ stateStore, logger: new RecordingLogger() });
  await runtime.start();
  await Notes.register(runtime, "notes", () => new Notes("notes"));
  await expect(runtime.sendMessage(Read({}), id)).rejects.toMatchObject({
    code: "state-unreadable",
    message: expect.stringContaining("its migration from version 1 is asynchronous"),
  });
});
