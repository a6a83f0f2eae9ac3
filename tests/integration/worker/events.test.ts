import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import {
  AgentId,
  DefaultTopicId,
  type MessageContext,
  TopicId,
  TypePrefixSubscription,
  TypeSubscription,
  UnknownPayload,
} from "../../../src/core/index.ts";
import { protobufMessage } from "../../../src/protobuf/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { eventFrame, jsonOf, jsonPayload, next } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

interface Seen {
  readonly by: string;
  readonly message: unknown;
  readonly context: MessageContext;
}

/** Registers agents of `type` on topic type `t` that put what they see into the inbox. */
async function listen(worker: WorkerRuntime, type: string, seen: Inbox<Seen>, topicType = "t"): Promise<void> {
  const see = (message: unknown, context: MessageContext, agent: FunctionAgent) =>
    seen.put({ by: agent.id.toString(), message, context });
  await worker.registerFactory(type, () => new FunctionAgent(see));
  await worker.addSubscription(new TypeSubscription(topicType, type));
  worker.addMessageSerializer(MyMessage);
}

/** The .NET-style event of protocol.md §9: three attributes, `proto_data`, neither `spec_version` nor sender. */
const dotnetEvent =
  "1ab5010a02453112016b2201742a160a0961676d73676b696e6412091a077075626c6973682a2b0a0f64617461636f6e74656e747479706512181a166170706c69636174696f6e2f782d70726f746f6275662a2b0a0a64617461736368656d61121d1a1b676f6f676c652e70726f746f6275662e537472696e6756616c756542370a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512040a026869";
/** Python's JSON event of protocol.md §9, sender a/b, topic t/src, MyMessage "two". */
const pythonEvent =
  "1ad4010a2432323232323232322d313131312d313131312d313131312d31313131313131313131313112037372631a03312e302201742a170a1061676167656e7473656e6465726b657912031a01622a180a1161676167656e7473656e6465727479706512031a01612a160a0961676d73676b696e6412091a077075626c6973682a250a0f64617461636f6e74656e747479706512121a106170706c69636174696f6e2f6a736f6e2a190a0a64617461736368656d61120b1a094d794d65737361676532127b22636f6e74656e74223a202274776f227d";

describe("events that reach a worker", () => {
  test("one published by Python is handed over decoded, with sender, topic and message id [§8.64] [§8.137]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a2", seen);
    channel.sendBytes(Buffer.from(pythonEvent, "hex"));
    const { by, message, context } = await seen.take();
    expect(by).toBe("a2/src");
    expect(message).toBeInstanceOf(MyMessage);
    expect(message).toEqual({ content: "two" });
    expect(context.sender?.toString()).toBe("a/b");
    expect(context.topicId?.toString()).toBe("t/src");
    expect(context.messageId).toBe("22222222-1111-1111-1111-111111111111");
    expect(context.isRpc).toBe(false);
  });

  test("the sender unknown/unknown is nobody, unless it is asked for literally [§8.64]", async () => {
    await using host = await new ScriptedHost().listen();
    const sender = { type: "unknown", key: "unknown" };
    for (const exposeUnknownSender of [false, true]) {
      const [worker, channel] = await host.worker({ exposeUnknownSender });
      const seen = new Inbox<Seen>();
      await listen(worker, "a", seen);
      channel.send(eventFrame("t/k", { sender }));
      const { context } = await seen.take();
      expect(context.sender?.toString()).toBe(exposeUnknownSender ? "unknown/unknown" : undefined);
    }
  });

  test("a .NET-style event is decoded by its dataschema [§8.66]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    worker.addMessageSerializer(protobufMessage(StringValueSchema));
    channel.sendBytes(Buffer.from(dotnetEvent, "hex"));
    const { message, context } = await seen.take();
    expect(message).toMatchObject({ $typeName: "google.protobuf.StringValue", value: "hi" });
    expect(context.sender).toBeUndefined();
  });

  test("a message that a handler publishes is not delivered to itself, but to another key of its type [§8.68]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    channel.send(eventFrame("t/self", { sender: { type: "a", key: "self" } }));
    channel.send(eventFrame("t/other", { sender: { type: "a", key: "self" } }));
    expect((await seen.take()).by).toBe("a/other");
    expect(seen.rest).toEqual([]);
  });

  test("two subscriptions that name one agent deliver once [§8.69]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    await worker.addSubscription(new TypePrefixSubscription("", "a"));
    channel.send(eventFrame("t/k", { id: "1" }));
    channel.send(eventFrame("t/k", { id: "2" }));
    const ids = (await seen.takeMany(2)).map(({ context }) => context.messageId);
    expect(ids).toEqual(["1", "2"]);
  });

  test("an event of an unknown dataschema is an UnknownPayload with its bytes [§8.70]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    channel.send(eventFrame("t/k", { payload: jsonPayload("Nobody", { a: 1 }) }));
    const { message } = await seen.take();
    expect(message).toBeInstanceOf(UnknownPayload);
    expect(message).toMatchObject({ typeName: "Nobody", dataContentType: "application/json" });
  });

  test("JSON in text_data is accepted [§8.71]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    channel.sendBytes(rawEvent({ textData: '{"content":"text"}' }));
    expect((await seen.take()).message).toEqual({ content: "text" });
  });

  test("a content type with parameters is accepted [§8.72]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    const payload = jsonPayload("MyMessage", { content: "x" }, "Application/JSON; charset=utf-8");
    channel.send(eventFrame("t/k", { payload }));
    expect((await seen.take()).message).toEqual({ content: "x" });
  });

  test("an attribute without a value is passed over [§8.73]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    channel.sendBytes(rawEvent({ textData: '{"content":"x"}', attributeWithoutValue: "odd" }));
    expect((await seen.take()).message).toEqual({ content: "x" });
  });

  test("a recipient whose factory throws does not keep the event from the others [§8.74]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await worker.registerFactory("broken", () => {
      throw new Error("no agent today");
    });
    await worker.addSubscription(new TypeSubscription("t", "broken"));
    await listen(worker, "a", seen);
    channel.send(eventFrame("t/k"));
    expect((await seen.take()).by).toBe("a/k");
    expect(worker.counters().failedEventHandlers).toBe(1);
    expect(host.logger.texts("error").join()).toContain("no agent today");
  });

  test("a handler that throws is logged; the others finish and the channel lives [§8.75]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await worker.registerFactory(
      "thrower",
      () =>
        new FunctionAgent(async () => {
          throw new Error("boom");
        }),
    );
    await worker.addSubscription(new TypeSubscription("t", "thrower"));
    await listen(worker, "a", seen);
    channel.send(eventFrame("t/k", { id: "1" }));
    channel.send(eventFrame("t/k", { id: "2" }));
    expect((await seen.takeMany(2)).map(({ context }) => context.messageId)).toEqual(["1", "2"]);
    expect(host.logger.texts("error").join()).toContain("boom");
  });

  test("events that can't be read are counted and dropped, and the channel lives", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    const notJson = { typeName: "MyMessage", contentType: "application/json", data: new Uint8Array([0xff, 0x7b]) };
    channel.send(eventFrame("t/k", { payload: notJson }));
    channel.send(eventFrame("t/k", { payload: jsonPayload("MyMessage", { content: 7 }) }));
    channel.send(eventFrame("t/k", { sender: { type: "not valid", key: "k" } }));
    channel.send(eventFrame("not valid/k"));
    channel.send(eventFrame("t/k"));
    expect((await seen.take()).message).toEqual({ content: "x" });
    expect(worker.counters().unreadableEvents).toBe(4);
    expect(host.logger.texts("warn")).toHaveLength(4);
  });

  test("a topic type whose suffix asks for an answer is handled as a call, without an answer [§8.77]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    await worker.addSubscription(new TypePrefixSubscription("a:", "a"));
    for (const topic of ["a:rpc_request/k", "a:rpc_request=b/k", "a:rpc_response=1/k", "a:/k"]) {
      channel.send(eventFrame(topic));
    }
    const kinds = (await seen.takeMany(4)).map(({ context }) => context.isRpc);
    expect(kinds).toEqual([true, true, false, false]);
    expect(channel.received.rest).toEqual([]);
  });

  test("two first events for one agent that is made slowly reach one instance [§8.78]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<unknown>();
    const gate = new Gate();
    let made = 0;
    await worker.registerFactory("slow", async () => {
      made += 1;
      await gate.opened;
      return new FunctionAgent((message) => seen.put(message));
    });
    await worker.addSubscription(new TypeSubscription("t", "slow"));
    channel.send(eventFrame("t/k"));
    channel.send(eventFrame("t/k"));
    gate.open();
    await seen.takeMany(2);
    expect(made).toBe(1);
  });

  test("an event on a topic that this worker did not subscribe to is ignored, and counted [§8.80]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    channel.send(eventFrame("other/k"));
    channel.send(eventFrame("t/k"));
    expect((await seen.take()).context.topicId?.toString()).toBe("t/k");
    expect(worker.counters()).toMatchObject({ unreadableEvents: 0, unroutedEvents: 1 });
    expect(host.logger.texts("debug").join()).toContain("other/k");
  });

  test("an event that comes back to its only recipient, the sender, is not counted as one that nobody gets", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    channel.send(eventFrame("t/k", { sender: { type: "a", key: "k" } }));
    channel.send(eventFrame("t/other"));
    expect((await seen.take()).by).toBe("a/other");
    expect(worker.counters().unroutedEvents).toBe(0);
  });

  test("an event that a gateway delivers twice reaches its agents once, by option, and is counted (§7)", async () => {
    await using host = await new ScriptedHost().listen();
    for (const [rememberedEvents, ids] of [
      [0, ["1", "1", "2", "", "", "1"]],
      [2, ["1", "2", "", ""]],
    ] as const) {
      const [worker, channel] = await host.worker({ rememberedEvents });
      const seen = new Inbox<Seen>();
      await listen(worker, "a", seen);
      for (const id of ["1", "1", "2", "", "", "1"]) channel.send(eventFrame("t/k", { id }));
      channel.send(eventFrame("t/k", { id: "last" }));
      const messageIds = (await seen.takeMany(ids.length + 1)).map(({ context }) => context.messageId);
      expect(messageIds).toEqual([...ids, "last"]);
      expect(worker.counters().duplicateEvents).toBe(6 - ids.length);
    }
  });

  test("after a subscription is removed nothing is delivered by it [§8.35]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const seen = new Inbox<Seen>();
    await listen(worker, "a", seen);
    const second = new TypeSubscription("u", "a");
    await worker.addSubscription(second);
    await worker.removeSubscription(second.id);
    channel.send(eventFrame("u/k"));
    channel.send(eventFrame("t/k"));
    expect((await seen.take()).context.topicId?.type).toBe("t");
    await expect(worker.removeSubscription(second.id)).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("events that a worker publishes", () => {
  test("one by nobody has id, five attributes and unknown/unknown, with JSON in binary_data", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ makeId: () => "id-1" });
    await worker.publishMessage(MyMessage({ content: "é" }), new TopicId("t", "s"));
    const { event } = await next(channel, "event");
    expect(event).toMatchObject({ id: "id-1", topicType: "t", topicSource: "s", attributes: {} });
    expect(event.sender).toEqual({ type: "unknown", key: "unknown" });
    expect(jsonOf(event.payload)).toEqual({ content: "é" });
    expect(event.payload).toMatchObject({ typeName: "MyMessage", contentType: "application/json" });
  });

  test("a protobuf message travels as the bytes of an Any in proto_data [§8.67]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    worker.addMessageSerializer(protobufMessage(StringValueSchema));
    await worker.publishMessage(create(StringValueSchema, { value: "hi" }), new TopicId("t", "s"));
    const { event } = await next(channel, "event");
    expect(event.payload.contentType).toBe("application/x-protobuf");
    expect(Buffer.from(event.payload.data).toString("hex")).toBe(
      "0a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512040a026869",
    );
  });

  test("DefaultTopicId without a source takes the key of the agent that publishes it [§8.76]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const sender = new AgentId("a", "my-key");
    await worker.publishMessage(MyMessage({ content: "x" }), new DefaultTopicId(), { sender });
    await worker.publishMessage(MyMessage({ content: "x" }), new DefaultTopicId());
    expect((await next(channel, "event")).event).toMatchObject({ topicType: "default", topicSource: "my-key" });
    expect((await next(channel, "event")).event).toMatchObject({ topicType: "default", topicSource: "default" });
  });

  test("one whose type is not declared rejects, and the worker goes on", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    const undeclared = worker.publishMessage({ loose: true } as unknown, new TopicId("t", "s"));
    await expect(undeclared).rejects.toMatchObject({ code: "invalid-message" });
    await worker.publishMessage(MyMessage({ content: "x" }), new TopicId("t", "s"));
    await next(channel, "event");
  });
});

/** An event as bytes, with arms that our own encoder does not write. Field numbers as in protocol.md §1.4. */
function rawEvent({ textData, attributeWithoutValue }: { textData: string; attributeWithoutValue?: string }): Buffer {
  const attributes = [
    attribute("datacontenttype", "application/json"),
    attribute("dataschema", "MyMessage"),
    ...(attributeWithoutValue === undefined ? [] : [field(5, field(1, Buffer.from(attributeWithoutValue)))]),
  ];
  const event = [field(1, Buffer.from("e1")), field(2, Buffer.from("k")), field(4, Buffer.from("t")), ...attributes];
  return field(3, Buffer.concat([...event, field(7, Buffer.from(textData))]));
}

function attribute(name: string, value: string): Buffer {
  return field(5, Buffer.concat([field(1, Buffer.from(name)), field(2, field(3, Buffer.from(value)))]));
}

/** A length-delimited field shorter than 16 384 bytes. */
function field(number: number, content: Buffer): Buffer {
  const length = content.length < 128 ? [content.length] : [(content.length & 0x7f) | 0x80, content.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
}
