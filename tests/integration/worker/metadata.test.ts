import { expect, test } from "vitest";
import { AgentId, type MessageMetadata, TopicId, type Tracing, TypeSubscription } from "../../../src/core/index.ts";
import { eventFrame, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

const target = new AgentId("a", "k");
const news = new TopicId("news", "k");
const metadata = { tenant: "acme", "user.id": "ada" };

const tracing: Tracing = {
  span: (_operation, _details, body) => body(),
  inject: () => ({ traceparent: "00-trace", tracestate: "s=1" }),
};

test("metadata of a call travels in the metadata of the request, beside the time limit and the trace", async () => {
  await using host = await new ScriptedHost().listen();
  const [worker, channel] = await host.worker({ tracing });
  worker.addMessageSerializer(MyMessage);
  const call = worker.sendMessage(MyMessage({ content: "x" }), target, { metadata, timeoutMs: 5_000 });
  const request = await next(channel, "request");
  expect(request.metadata).toEqual({ ...metadata, traceparent: "00-trace", tracestate: "s=1", agtimeoutms: "5000" });
  channel.send(responseFrame(request.requestId, { error: "done" }));
  await expect(call).rejects.toThrow("done");
});

test("metadata of an event travels as text attributes, beside the trace", async () => {
  await using host = await new ScriptedHost().listen();
  const [worker, channel] = await host.worker({ tracing });
  worker.addMessageSerializer(MyMessage);
  await worker.publishMessage(MyMessage({ content: "x" }), news, { metadata });
  const { event } = await next(channel, "event");
  expect(event.attributes).toEqual({ ...metadata, traceparent: "00-trace", tracestate: "s=1" });
});

test("without metadata nothing is added to a call or an event", async () => {
  await using host = await new ScriptedHost().listen();
  const [worker, channel] = await host.worker();
  worker.addMessageSerializer(MyMessage);
  const call = worker.sendMessage(MyMessage({ content: "x" }), target);
  const request = await next(channel, "request");
  expect(request.metadata).toEqual({});
  channel.send(responseFrame(request.requestId, { error: "done" }));
  await expect(call).rejects.toThrow("done");
  await worker.publishMessage(MyMessage({ content: "x" }), news, { metadata: {} });
  expect((await next(channel, "event")).event.attributes).toEqual({});
});

test("a handler sees what any peer wrote, except what belongs to the protocol", async () => {
  await using host = await new ScriptedHost().listen();
  const [worker, channel] = await host.worker();
  const seen: MessageMetadata[] = [];
  worker.addMessageSerializer(MyMessage);
  await worker.registerFactory("a", () => new FunctionAgent((_message, context) => void seen.push(context.metadata)));
  await worker.addSubscription(new TypeSubscription("news", "a"));
  const written = { tenant: "acme", traceparent: "00-trace", agfuture: "1", "Not Ours": "x" };
  channel.send(eventFrame("news/k", { attributes: written }));
  channel.send(requestFrame("a/k", { metadata: { ...written, agtimeoutms: "60000" } }));
  await next(channel, "response");
  expect(seen.map((one) => ({ ...one }))).toEqual([{ tenant: "acme" }, { tenant: "acme" }]);
});
