import { describe, expect, test } from "vitest";
import { AgentId, type RegisterFactoryOptions } from "../../../src/core/index.ts";
import type { Capability } from "../../../src/protocol/internal.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent, type OnMessage } from "../../support/worker/function-agent.ts";
import { Ask, MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { openStage } from "../../support/worker/stage.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const outer = new AgentId("outer", "k");
const elsewhere = new AgentId("elsewhere", "k");

const callOn: OnMessage = async (_message, { signal }, agent) => {
  await agent.runtime.sendMessage(MyMessage({ content: "in" }), elsewhere, { signal, sender: agent.id });
};

describe.each<[string, boolean, readonly Capability[]]>([
  ["a host of Troupe's", true, ["heartbeat", "turns"]],
  ["a host of Troupe's that does not name turns", true, ["heartbeat"]],
  ["a stock host", false, []],
])("a call of a sequential agent's turn, at %s", (_title, isTroupe, capabilities) => {
  test.each<[RegisterFactoryOptions<FunctionAgent>["concurrency"], number | undefined]>([
    ["sequential", undefined],
    ["sequential", 5_000],
    ["interleaved", undefined],
  ])("%s, with the time limit %s", async (concurrency, timeoutMs) => {
    await using host = await new ScriptedHost().listen();
    host.isTroupe = isTroupe;
    host.capabilities = capabilities;
    const [worker, channel] = await host.worker({ defaultTimeoutMs: timeoutMs });
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("outer", () => new FunctionAgent(callOn), { concurrency });
    channel.send(requestFrame("outer/k", { requestId: "h-7" }));
    const { metadata, requestId } = await next(channel, "request");
    const hasPath = capabilities.includes("turns") && concurrency === "sequential";
    expect(metadata.agpath).toBe(hasPath ? "h-7@outer/k" : undefined);
    expect(Object.hasOwn(metadata, "agpath")).toBe(hasPath);
    expect(Object.hasOwn(metadata, "agtimeoutms")).toBe(timeoutMs !== undefined);
    channel.send(responseFrame(requestId));
    await next(channel, "response");
  });
});

test("a call that comes back needs no slot, also in a worker that can park nothing more", async () => {
  await using rig = await startRig();
  const worker = await rig.worker({ maxConcurrentHandlers: 1, maxParkedMessages: 0 });
  const other = await rig.worker();
  for (const one of [worker, other]) one.addMessageSerializer([Ask, Reply]);
  const send = (agent: FunctionAgent, to: AgentId, content: string, signal: AbortSignal) =>
    agent.runtime.sendMessage(Ask({ content }), to, { sender: agent.id, signal });
  const inner: OnMessage = async (message, { signal }, agent) => {
    if (Ask.is(message) && message.content === "in") return Reply({ content: "done" });
    return send(agent, elsewhere, "on", signal);
  };
  const back: OnMessage = (_message, { signal }, agent) => send(agent, outer, "in", signal);
  await worker.registerFactory("outer", () => new FunctionAgent(inner), { concurrency: "sequential" });
  await other.registerFactory("elsewhere", () => new FunctionAgent(back));
  expect(await other.sendMessage(Ask({ content: "out" }), outer)).toEqual({ content: "done" });
  expect(worker.handlers).toEqual({ running: 0, parked: 0 });
});

test("a call without a path waits for the turn, as one of another caller does", async () => {
  await using stage = await openStage();
  stage.host.isTroupe = true;
  await stage.worker.start();
  const channel = await stage.host.channels.take();
  const gate = new Gate();
  const begun: string[] = [];
  stage.worker.addMessageSerializer(MyMessage);
  const handle: OnMessage = async (message) => {
    const { content } = MyMessage.is(message) ? message : { content: "" };
    begun.push(content);
    if (begun.length === 1) await gate.opened;
  };
  await stage.worker.registerFactory("outer", () => new FunctionAgent(handle), { concurrency: "sequential" });
  const send = (requestId: string, agpath?: string) =>
    channel.send(requestFrame("outer/k", { requestId, metadata: agpath === undefined ? {} : { agpath } }));
  send("h-1");
  send("h-2");
  send("h-3", "h-1@other/k");
  send("h-4", "h-1@outer/k");
  expect((await next(channel, "response")).requestId).toBe("h-4");
  gate.open();
  const rest = [await next(channel, "response"), await next(channel, "response"), await next(channel, "response")];
  expect(rest.map(({ requestId }) => requestId)).toEqual(["h-1", "h-2", "h-3"]);
});
