import { AgentId, AgentProxy, defineMessage } from "troupe";
import { expect, test } from "vitest";
import { z } from "zod";
import { RecordingRuntime } from "./recording-runtime.ts";

const Pong = defineMessage("Pong", z.object({}));
const Ping = defineMessage("Ping", z.object({}), { answer: Pong });

test("a proxy asks the runtime for everything", async () => {
  const runtime = new RecordingRuntime();
  runtime.answer = () => Pong({});
  const proxy = new AgentProxy(new AgentId("a", "k"), runtime);
  const sender = new AgentId("me", "x");
  expect(await proxy.sendMessage(Ping({}), { sender })).toBeInstanceOf(Pong);
  expect(runtime.lastSend).toEqual({ sender });
  expect(await proxy.metadata).toEqual({ type: "a", key: "k", description: "recorded" });
  expect(await proxy.saveState()).toEqual({ of: "a/k" });
  await proxy.loadState({ n: 1 });
  expect(runtime.asked).toEqual(["send to a/k", 'load a/k {"n":1}']);
});
