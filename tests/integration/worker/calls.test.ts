import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ambientContexts, MessageHandlerContext } from "../../../src/context/index.ts";
import {
  AgentId,
  CancelledError,
  CantHandleException,
  HandlerError,
  TimedOutError,
  ToolNotFoundException,
  UndeliverableException,
  UnknownPayload,
} from "../../../src/core/index.ts";
import { errorText } from "../../../src/core/internal.ts";
import { protobufMessage } from "../../../src/protobuf/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { jsonOf, jsonPayload, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent, type OnMessage } from "../../support/worker/function-agent.ts";
import { Ask, MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

async function serve(worker: WorkerRuntime, onMessage: OnMessage): Promise<void> {
  worker.addMessageSerializer([MyMessage, Ask, Reply]);
  await worker.registerFactory("a", () => new FunctionAgent(onMessage));
}

const target = new AgentId("a", "k");

describe("a call that reaches a worker", () => {
  test("is answered with what the handler returns", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await serve(worker, async (message) => Reply({ content: `${(message as { content: string }).content}!` }));
    channel.send(requestFrame("a/k", { requestId: "77", source: { type: "b", key: "s" } }));
    const answer = await next(channel, "response");
    expect(answer).toMatchObject({ requestId: "77", error: "" });
    expect(answer.payload?.typeName).toBe("Reply");
    expect(jsonOf(answer.payload)).toEqual({ content: "x!" });
  });

  test("shows the handler the request id, the sender, no topic, and that it is a call [§8.96]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen: unknown[] = [];
    await serve(worker, (_message, context) => {
      seen.push([context.messageId, context.sender?.toString(), context.topicId, context.isRpc]);
    });
    channel.send(requestFrame("a/k", { requestId: "r-9", source: { type: "b", key: "s" } }));
    channel.send(requestFrame("a/k", { requestId: "r-10" }));
    await next(channel, "response");
    await next(channel, "response");
    expect(seen).toEqual([
      ["r-9", "b/s", undefined, true],
      ["r-10", undefined, undefined, true],
    ]);
  });

  test("whose handler throws is answered with its text and class [§8.83]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const thrown: unknown[] = [new Error("boom"), new CantHandleException("not mine"), "a string"];
    await serve(worker, () => {
      throw thrown.shift();
    });
    const answers = [];
    for (let call = 0; call < 3; call += 1) {
      channel.send(requestFrame("a/k"));
      answers.push(await next(channel, "response"));
    }
    expect(answers.map(({ error, metadata }) => [error, metadata.agerrortype])).toEqual([
      ["boom", "HandlerError"],
      ["not mine", "CantHandleException"],
      ["a string", "HandlerError"],
    ]);
    expect(answers.every(({ payload }) => payload === undefined)).toBe(true);
  });

  test("whose handler throws an error without text is answered with its class's name [§8.84]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await serve(worker, () => {
      throw new RangeError("");
    });
    channel.send(requestFrame("a/k"));
    expect((await next(channel, "response")).error).toBe("RangeError");
  });

  test("whose handler returns nothing is answered with NoneType and null [§8.85]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await serve(worker, () => undefined);
    channel.send(requestFrame("a/k"));
    const { error, payload } = await next(channel, "response");
    expect(error).toBe("");
    expect(payload).toMatchObject({ typeName: "NoneType", contentType: "application/json" });
    expect(jsonOf(payload)).toBeNull();
  });

  test("whose payload can't be decoded is answered with an error [§8.86]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await serve(worker, () => undefined);
    channel.send(requestFrame("a/k", { payload: jsonPayload("MyMessage", { content: 1 }) }));
    expect((await next(channel, "response")).error).toContain("MyMessage");
  });

  test("for an agent whose factory throws is answered with that text [§8.87]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", async () => {
      throw new Error("no key for you");
    });
    channel.send(requestFrame("a/k"));
    expect((await next(channel, "response")).error).toBe("no key for you");
  });

  test("for a type that is not here, an invalid one, or none is answered with an error [§8.45]", async () => {
    await using host = await new ScriptedHost().listen();
    const [, channel] = await host.worker();
    channel.send(requestFrame("nobody/k"));
    channel.send(requestFrame("not valid/k"));
    channel.send(requestFrame("a/k", { target: undefined }));
    for (let call = 0; call < 3; call += 1) expect((await next(channel, "response")).error).not.toBe("");
  });

  test("whose result has no declared type is answered with an error [§8.88]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await serve(worker, () => ({ loose: true }) as unknown);
    channel.send(requestFrame("a/k"));
    expect((await next(channel, "response")).error).toContain("declared");
  });

  test("of an unknown type reaches the agent as UnknownPayload and is answered [§8.89]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen: unknown[] = [];
    await serve(worker, (message) => {
      seen.push(message);
    });
    channel.send(requestFrame("a/k", { payload: jsonPayload("Nobody", 1) }));
    expect(await next(channel, "response")).toMatchObject({ error: "", payload: { typeName: "NoneType" } });
    expect(seen[0]).toBeInstanceOf(UnknownPayload);
  });

  test("runs in the handler context of its agent, also after awaits and beside others [§8.95]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ ambient: ambientContexts });
    await serve(worker, async () => {
      const before = MessageHandlerContext.agentId().toString();
      await new Promise((resolve) => setImmediate(resolve));
      return Reply({ content: `${before} ${MessageHandlerContext.agentId()}` });
    });
    channel.send(requestFrame("a/1"));
    channel.send(requestFrame("a/2"));
    const answers = [await next(channel, "response"), await next(channel, "response")];
    expect(answers.map(({ payload }) => jsonOf(payload))).toEqual([{ content: "a/1 a/1" }, { content: "a/2 a/2" }]);
  });

  test("whose answer is over the size limit is answered with an error instead", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ maxMessageBytes: 1000 });
    await serve(worker, () => Reply({ content: "x".repeat(2000) }));
    channel.send(requestFrame("a/k"));
    expect((await next(channel, "response")).error).toContain("limit");
  });

  test("leaves the channel alive when bytes come that are no message, or a message without content [§8.13]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await serve(worker, () => undefined);
    channel.sendBytes(new Uint8Array([0x0a, 0x7f, 0x01]));
    channel.sendBytes(new Uint8Array(0));
    channel.send(requestFrame("a/k"));
    await next(channel, "response");
    expect(worker.counters().unreadableFrames).toBe(1);
    expect(host.logger.texts("warn").join()).toContain("without content");
  });
});

describe("a call that a worker makes", () => {
  test("goes to the host even if its target lives here [§8.54]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await serve(worker, () => Reply({ content: "local" }));
    const call = worker.sendMessage(Ask({ content: "q" }), target, { sender: new AgentId("b", "s") });
    const request = await next(channel, "request");
    expect(request).toMatchObject({ source: { type: "b", key: "s" }, target: { type: "a", key: "k" } });
    channel.send(responseFrame(request.requestId, { payload: jsonPayload("Reply", { content: "from the host" }) }));
    expect((await call).content).toBe("from the host");
  });

  test("has an id that no other worker gives, since AutoGen's host confuses equal ones", async () => {
    await using host = await new ScriptedHost().listen();
    const ids = new Set<string>();
    for (let count = 0; count < 2; count += 1) {
      const [worker, channel] = await host.worker({ requestIdPrefix: undefined });
      const call = worker.sendMessage(Ask({ content: "q" }), target);
      const { requestId } = await next(channel, "request");
      ids.add(requestId);
      channel.send(responseFrame(requestId, { payload: jsonPayload("Reply", { content: "a" }) }));
      await call;
    }
    expect([...ids]).toEqual([expect.stringMatching(/^[0-9a-f]{8}-1$/), expect.stringMatching(/^[0-9a-f]{8}-1$/)]);
  });

  test("has no source when nobody sends it [§8.52]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    void worker.sendMessage(MyMessage({ content: "q" }), target).catch(() => undefined);
    expect((await next(channel, "request")).source).toBeUndefined();
  });

  test("resolves to undefined for NoneType [§8.85]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const call = worker.sendMessage(MyMessage({ content: "q" }), target);
    const { requestId } = await next(channel, "request");
    channel.send(responseFrame(requestId, { payload: jsonPayload("NoneType", null) }));
    expect(await call).toBeUndefined();
  });

  test("resolves to UnknownPayload when the answer's type is not known here [§8.82]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const call = worker.sendMessage(MyMessage({ content: "q" }), target);
    const { requestId } = await next(channel, "request");
    channel.send(responseFrame(requestId, { payload: jsonPayload("PythonThing", { n: 1 }) }));
    expect(await call).toBeInstanceOf(UnknownPayload);
  });

  test("rejects with unexpected-answer when the answer is not of the promised type", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const call = worker.sendMessage(Ask({ content: "q" }), target);
    const { requestId } = await next(channel, "request");
    channel.send(responseFrame(requestId, { payload: jsonPayload("PythonThing", { n: 1 }) }));
    await expect(call).rejects.toMatchObject({ code: "unexpected-answer" });
  });

  test("looks at the error before the payload, and rebuilds its class [§8.97]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const answers: readonly [error: string, metadata: Record<string, string>][] = [
      ["boom", {}],
      ["not mine", { agerrortype: "CantHandleException" }],
      ["gone", { agerrortype: "UndeliverableException" }],
      ["late", { agerrortype: "Timeout" }],
      ["odd", { agerrortype: "constructor" }],
      ["Error: Tool not found: x", { agerrortype: "ToolNotFoundException", agtoolcallid: "c1", agtoolname: "x" }],
    ];
    const outcomes: unknown[] = [];
    for (const [error, metadata] of answers) {
      const call = worker.sendMessage(Ask({ content: "q" }), target).catch((thrown: unknown) => thrown);
      const { requestId } = await next(channel, "request");
      channel.send(responseFrame(requestId, { error, metadata, payload: jsonPayload("Reply", "rubbish") }));
      outcomes.push(await call);
    }
    expect(outcomes.map(errorText)).toEqual([
      `${target} failed: boom`,
      "not mine",
      "gone",
      "late",
      `${target} failed: odd`,
      "Error: Tool not found: x",
    ]);
    const classes = [HandlerError, CantHandleException, UndeliverableException, TimedOutError, HandlerError];
    for (const [index, ErrorClass] of classes.entries()) expect(outcomes[index]).toBeInstanceOf(ErrorClass);
    expect(outcomes[5]).toBeInstanceOf(ToolNotFoundException);
    expect(outcomes[5]).toMatchObject({ callId: "c1", toolName: "x" });
  });

  test("says what to do where the host only says that nobody is there", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const texts = ["Agent type b not found.", "Agent not found.", "Client for agent type b disconnected."];
    for (const error of texts) {
      const outcome = worker.sendMessage(Ask({ content: "q" }), target).catch((thrown: unknown) => thrown);
      const { requestId } = await next(channel, "request");
      channel.send(responseFrame(requestId, { error, metadata: { agerrortype: "UndeliverableException" } }));
      expect(errorText(await outcome)).toMatch(new RegExp(`^${error} (Start a worker|The call may)`));
    }
  });

  test.each([
    ["disconnected", "The worker that serves b/k disconnected before it answered. The call may have been handled"],
    ["undeliverable", "The worker that serves b/k disconnected before it got the call. Send it again"],
  ])("names the agent whose worker has gone, and says whether it had the call (%s)", async (code, text) => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const call = worker.sendMessage(Ask({ content: "q" }), new AgentId("b", "k"));
    const failed = expect(call).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    const { requestId } = await next(channel, "request");
    const metadata = { agerrortype: "UndeliverableException", agerrorcode: code };
    channel.send(responseFrame(requestId, { error: "Client for agent type b disconnected.", metadata }));
    await failed;
  });

  test("rejects at its timeout; the late answer is ignored and nothing stays [§8.90]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const call = worker.sendMessage(MyMessage({ content: "q" }), target, { timeoutMs: 5 });
    const { requestId, metadata } = await next(channel, "request");
    expect(metadata.agtimeoutms).toBe("5");
    await expect(call).rejects.toBeInstanceOf(TimedOutError);
    expect(worker.pendingCallsCount).toBe(0);
    channel.send(responseFrame(requestId));
    await settled(worker, channel);
    expect(worker.counters().unexpectedAnswers).toBe(1);
  });

  test("rejects when its signal aborts, before and after it was sent [§8.90]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const controller = new AbortController();
    const call = worker.sendMessage(MyMessage({ content: "q" }), target, { signal: controller.signal });
    await next(channel, "request");
    controller.abort("enough");
    await expect(call).rejects.toMatchObject({ code: "cancelled", cause: "enough" });
    const { signal } = controller;
    await expect(worker.sendMessage(MyMessage({ content: "q" }), target, { signal })).rejects.toBeInstanceOf(
      CancelledError,
    );
    expect(worker.pendingCallsCount).toBe(0);
    await settled(worker, channel);
  });

  test("rejects with all others when the channel is lost, and later ones say so [§8.91]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ reconnect: false });
    const calls = [1, 2, 3].map(() => worker.sendMessage(MyMessage({ content: "q" }), target));
    const outcomes = Promise.allSettled(calls);
    for (const _ of calls) await next(channel, "request");
    host.network.cut();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "disconnected" } });
      if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(UndeliverableException);
    }
    expect(await worker.closed).toMatchObject({ by: "lost" });
    await expect(worker.sendMessage(MyMessage({ content: "q" }), target)).rejects.toMatchObject({
      code: "disconnected",
    });
    expect(worker.pendingCallsCount).toBe(0);
  });

  test("rejects when it can't be encoded, with nothing sent or pending [§8.92]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await expect(worker.sendMessage({ loose: true } as unknown, target)).rejects.toMatchObject({
      code: "invalid-message",
    });
    const brokenKey = worker.sendMessage(MyMessage({ content: "q" }), new AgentId("a", "\ud800"));
    await expect(brokenKey).rejects.toMatchObject({ code: "invalid-message" });
    expect(worker.pendingCallsCount).toBe(0);
    await settled(worker, channel);
  });

  test("rejects when it is over the size limit, and the connection survives [§8.103]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ maxMessageBytes: 1000 });
    const huge = MyMessage({ content: "x".repeat(2000) });
    await expect(worker.sendMessage(huge, target)).rejects.toMatchObject({ code: "message-too-large" });
    expect(worker.pendingCallsCount).toBe(0);
    await settled(worker, channel);
  });

  test("carries protobuf messages both ways as the bytes of an Any [§8.93]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    worker.addMessageSerializer(protobufMessage(StringValueSchema));
    const call = worker.sendMessage(create(StringValueSchema, { value: "hi" }), target);
    const { requestId, payload } = await next(channel, "request");
    const any =
      "0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512040a026869";
    expect(payload).toMatchObject({ contentType: "application/x-protobuf" });
    expect(Buffer.from(payload?.data ?? []).toString("hex")).toBe(any);
    channel.send(responseFrame(requestId, { payload }));
    expect(await call).toMatchObject({ $typeName: "google.protobuf.StringValue", value: "hi" });
  });

  test("is JSON as Python's dataclasses read it [§8.94]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    void worker.sendMessage(MyMessage({ content: "q" }), target).catch(() => undefined);
    const { payload } = await next(channel, "request");
    expect(payload).toMatchObject({ typeName: "MyMessage", contentType: "application/json" });
    expect(new TextDecoder().decode(payload?.data)).toBe('{"content":"q"}');
  });
});

/** Everything that was on its way in either direction has arrived, and nothing but the probe went out. */
async function settled(worker: WorkerRuntime, channel: Parameters<typeof next>[0]): Promise<void> {
  channel.send(requestFrame("settled.nobody/k", { requestId: "settled" }));
  expect(await next(channel, "response")).toMatchObject({ requestId: "settled" });
  expect(worker.isRunning).toBe(true);
}
