import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  CantHandleException,
  DefaultTopicId,
  DropMessage,
  defineMessage,
  SingleThreadedAgentRuntime,
  TypeSubscription,
} from "../../../src/core/index.ts";
import {
  jsonMessageLog,
  llmCallEvent,
  llmStreamEndEvent,
  llmStreamStartEvent,
  toolCallEvent,
} from "../../../src/telemetry/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const Text = defineMessage("Text", z.object({ content: z.string() }));
const echoId = new AgentId("echo", "k");

class Echo extends BaseAgent {
  constructor() {
    super("echoes");
  }

  protected override onMessageImpl(message: { content: string }): unknown {
    if (message.content === "fail") throw new CantHandleException("not this one");
    return message;
  }
}

function openRuntime(lines: string[], withPayloads: boolean, checksMessages = true): SingleThreadedAgentRuntime {
  const runtime = new SingleThreadedAgentRuntime({
    messageLog: jsonMessageLog((line) => lines.push(line), { withPayloads }),
    logger: new RecordingLogger(),
    checksMessages,
    interventionHandlers: [
      {
        onSend: (message) => (Text.is(message) && message.content === "drop" ? DropMessage : message),
        onPublish: (message) => (Text.is(message) && message.content === "drop" ? DropMessage : message),
        onResponse: (message) => (Text.is(message) && message.content === "drop answer" ? DropMessage : message),
      },
    ],
  });
  void runtime.start();
  return runtime;
}

describe("jsonMessageLog", () => {
  test("writes calls, answers and events with the keys, order and texts of Python [§8.134]", async () => {
    const lines: string[] = [];
    const runtime = openRuntime(lines, true);
    await runtime.registerFactory("echo", () => new Echo());
    await runtime.addSubscription(new TypeSubscription("default", "echo"));
    await runtime.sendMessage(Text({ content: "é" }), echoId, { sender: new AgentId("user", "u") });
    await runtime.publishMessage(Text({ content: "x" }), new DefaultTopicId());
    await runtime.stopWhenIdle();
    const payload = '"payload": "{\\"content\\":\\"\\u00e9\\"}"';
    expect(lines).toEqual([
      `{${payload}, "sender": "user/u", "receiver": "echo/k", "kind": "MessageKind.DIRECT", "delivery_stage": "DeliveryStage.SEND", "type": "Message"}`,
      `{${payload}, "sender": "user/u", "receiver": "echo/k", "kind": "MessageKind.DIRECT", "delivery_stage": "DeliveryStage.DELIVER", "type": "Message"}`,
      `{${payload}, "sender": "echo/k", "receiver": "user/u", "kind": "MessageKind.RESPOND", "delivery_stage": "DeliveryStage.SEND", "type": "Message"}`,
      `{${payload}, "sender": "echo/k", "receiver": "user/u", "kind": "MessageKind.RESPOND", "delivery_stage": "DeliveryStage.DELIVER", "type": "Message"}`,
      '{"payload": "{\\"content\\":\\"x\\"}", "sender": null, "receiver": "default/default", "kind": "MessageKind.PUBLISH", "delivery_stage": "DeliveryStage.SEND", "type": "Message"}',
      '{"payload": "{\\"content\\":\\"x\\"}", "sender": null, "receiver": null, "kind": "MessageKind.PUBLISH", "delivery_stage": "DeliveryStage.DELIVER", "type": "Message"}',
    ]);
  });

  test("writes dropped messages, handlers that throw and agents that cannot be created", async () => {
    const lines: string[] = [];
    const runtime = openRuntime(lines, false);
    await runtime.registerFactory("echo", () => new Echo());
    await runtime.registerFactory("broken", () => {
      throw new Error("no key");
    });
    const ignored = (call: Promise<unknown>) => call.catch(() => undefined);
    for (const content of ["drop", "drop answer", "fail"])
      await ignored(runtime.sendMessage(Text({ content }), echoId));
    await runtime.publishMessage(Text({ content: "drop" }), new DefaultTopicId());
    await ignored(runtime.sendMessage(Text({ content: "x" }), new AgentId("broken", "k")));
    await runtime.stopWhenIdle();
    const others = lines.filter((line) => !line.includes('"type": "Message"'));
    expect(others).toEqual([
      '{"payload": "", "sender": null, "receiver": "echo/k", "kind": "MessageKind.DIRECT", "type": "MessageDropped"}',
      '{"payload": "", "sender": "echo/k", "receiver": null, "kind": "MessageKind.RESPOND", "type": "MessageDropped"}',
      '{"payload": "", "handling_agent": "echo/k", "exception": "not this one", "type": "MessageHandlerException"}',
      '{"payload": "", "sender": null, "receiver": "default/default", "kind": "MessageKind.PUBLISH", "type": "MessageDropped"}',
      '{"agent_id": "broken/k", "exception": "no key", "type": "AgentConstructionException"}',
      '{"payload": "", "handling_agent": "broken/k", "exception": "no key", "type": "MessageHandlerException"}',
    ]);
  });

  test("says that a message has no JSON form", async () => {
    const lines: string[] = [];
    const runtime = openRuntime(lines, true, false);
    await runtime.registerFactory("echo", () => new Echo());
    await runtime.sendMessage({ content: "undeclared" } as unknown, echoId);
    await runtime.stopWhenIdle();
    expect(lines[0]).toContain('{"payload": "Message could not be serialized", "sender": null');
  });

  test("writes calls to models and tools, with further fields first", () => {
    const lines: string[] = [];
    const log = jsonMessageLog((line) => lines.push(line));
    const messages = [{ role: "user", content: "hi" }];
    log.emit(
      llmCallEvent({ messages, response: { text: "yo" }, promptTokens: 3, completionTokens: 4, extra: { model: "m" } }),
    );
    log.emit(llmStreamStartEvent({ messages, agentId: echoId }));
    log.emit(llmStreamEndEvent({ response: { text: "yo" }, promptTokens: 3, completionTokens: 4, agentId: echoId }));
    log.emit(toolCallEvent({ toolName: "add", arguments: { a: 1, b: [2, null, true] }, result: "3", agentId: echoId }));
    expect(lines).toEqual([
      '{"model": "m", "type": "LLMCall", "messages": [{"role": "user", "content": "hi"}], "response": {"text": "yo"}, "prompt_tokens": 3, "completion_tokens": 4, "agent_id": null}',
      '{"type": "LLMStreamStart", "messages": [{"role": "user", "content": "hi"}], "agent_id": "echo/k"}',
      '{"type": "LLMStreamEnd", "response": {"text": "yo"}, "prompt_tokens": 3, "completion_tokens": 4, "agent_id": "echo/k"}',
      '{"type": "ToolCall", "tool_name": "add", "arguments": {"a": 1, "b": [2, null, true]}, "result": "3", "agent_id": "echo/k"}',
    ]);
  });
});
