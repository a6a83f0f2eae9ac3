import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription, UndeliverableException } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, type GrpcWorkerAgentRuntimeOptions } from "../../../src/grpc/index.ts";
import { protobufMessage } from "../../../src/protobuf/index.ts";
import { DotnetGateway } from "../../support/dotnet/dotnet-gateway.ts";
import { Inbox } from "../../support/inbox.ts";
import { RawGrpcHost } from "../../support/raw-grpc-host.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";

const note = (value: string) => create(StringValueSchema, { value });

interface Seen {
  readonly agent: string;
  readonly text: string;
}

/** A worker on a gateway whose agents of the given types are subscribed to the topic type `orders`. */
async function openWorker(address: string, types: readonly string[], options: GrpcWorkerAgentRuntimeOptions = {}) {
  const seen = new Inbox<Seen>();
  const logger = new RecordingLogger();
  const worker = new GrpcWorkerAgentRuntime(address, {
    ...{ logger, halfCloseWaitMs: 20, payloadSerializationFormat: "application/x-protobuf" },
    reconnect: { initialDelayMs: 1 },
    ...options,
  });
  worker.addMessageSerializer(protobufMessage(StringValueSchema));
  for (const type of types) {
    const see = (message: unknown, _context: unknown, agent: FunctionAgent) => {
      const text = typeof message === "object" && message !== null && "value" in message ? String(message.value) : "?";
      seen.put({ agent: agent.id.toString(), text });
    };
    await worker.registerFactory(type, () => new FunctionAgent(see));
    await worker.addSubscription(new TypeSubscription("orders", type));
  }
  return { worker, seen, logger };
}

function methodsOf(gateway: DotnetGateway, clientId: string | undefined): string[] {
  return gateway.calls.filter((call) => call.clientId === clientId).map(({ method }) => method);
}

test("what a worker registers at its start is not forgotten by .NET's gateway, nor when it comes back", async () => {
  await using gateway = await new DotnetGateway().listen();
  const { worker, seen } = await openWorker(gateway.address, ["packer", "clerk"]);
  await using _ = worker;
  await worker.start();
  expect(gateway.types).toEqual(["packer", "clerk"]);
  await worker.publishMessage(note("n1"), new TopicId("orders", "o1"));
  expect(await seen.takeMany(2)).toEqual([
    { agent: "packer/o1", text: "n1" },
    { agent: "clerk/o1", text: "n1" },
  ]);
  expect(await gateway.acknowledged.takeMany(2)).toEqual(["packer", "clerk"]);
  gateway.cut();
  expect(await gateway.acknowledged.takeMany(2)).toEqual(["packer", "clerk"]);
  await worker.publishMessage(note("n2"), new TopicId("orders", "o1"));
  expect(await seen.takeMany(2)).toMatchObject([{ text: "n2" }, { text: "n2" }]);
});

test("a worker asks an unannounced host once on each connection before it registers, and a Troupe host not", async () => {
  await using gateway = await new DotnetGateway().listen();
  const { worker } = await openWorker(gateway.address, ["packer", "clerk"], { controlChannel: "when-needed" });
  await using _ = worker;
  await worker.start();
  await worker.registerFactory("late", () => new FunctionAgent());
  const [first] = gateway.calls;
  const methods = methodsOf(gateway, first?.clientId);
  expect(methods.slice(0, 2).sort()).toEqual(["AreYouThere", "OpenChannel"]);
  expect(methods.slice(2)).toEqual([
    ...["RegisterAgent", "RegisterAgent", "AddSubscription", "AddSubscription", "RegisterAgent"],
  ]);

  await using host = await new RawGrpcHost().listen();
  const { worker: another } = await openWorker(host.address, [], { controlChannel: "when-needed" });
  await using _another = another;
  await another.start();
  await host.channels.take();
  const before = host.calls.length;
  await another.registerFactory("late", () => new FunctionAgent());
  expect(host.calls.slice(before).map(({ method }) => method)).toEqual(["RegisterAgent"]);
});

test("a call on .NET's gateway, which finds no agent, is undeliverable and says what to do", async () => {
  await using gateway = await new DotnetGateway().listen();
  const { worker } = await openWorker(gateway.address, ["packer"]);
  await using _ = worker;
  await worker.start();
  const outcome = await worker.sendMessage(note("x"), new AgentId("packer", "k")).catch((thrown: unknown) => thrown);
  expect(outcome).toBeInstanceOf(UndeliverableException);
  expect(outcome).toMatchObject({
    code: "undeliverable",
    message: expect.stringMatching(/^Agent not found and no compatible gateways were found\. Start a worker/),
  });
});

test("an agent gets an event of .NET's gateway once, however many agent types of its worker match", async () => {
  await using gateway = await new DotnetGateway().listen();
  const { worker, seen } = await openWorker(gateway.address, ["packer", "clerk"]);
  await using _ = worker;
  await worker.start();
  for (const text of ["n1", "n2"]) await worker.publishMessage(note(text), new TopicId("orders", "o1"));
  const got = await seen.takeMany(4);
  expect(got.map(({ agent, text }) => `${agent} ${text}`).sort()).toEqual([
    ...["clerk/o1 n1", "clerk/o1 n2", "packer/o1 n1", "packer/o1 n2"],
  ]);
  // The repetitions of n2 come before the answer to this call.
  await worker.sendMessage(note("x"), new AgentId("packer", "k")).catch(() => undefined);
  expect(seen.rest).toEqual([]);
  expect(worker.counters().duplicateEvents).toBe(2);
});

test("repetitions of .NET's gateway reach the agents when the memory for them is off", async () => {
  await using gateway = await new DotnetGateway().listen();
  const { worker, seen } = await openWorker(gateway.address, ["packer", "clerk"], { rememberedEvents: 0 });
  await using _ = worker;
  await worker.start();
  await worker.publishMessage(note("n1"), new TopicId("orders", "o1"));
  expect(await seen.takeMany(4)).toHaveLength(4);
  expect(worker.counters().duplicateEvents).toBe(0);
});

test("what .NET's gateway sends again without topic and content is counted, and logged at debug alone", async () => {
  await using gateway = await new DotnetGateway().listen();
  const { worker, seen, logger } = await openWorker(gateway.address, ["packer"]);
  await using _ = worker;
  await worker.start();
  // The source is the name of a topic type to which the worker subscribes afterwards.
  await worker.publishMessage(note("n1"), new TopicId("orders", "returns"));
  await seen.take();
  await worker.addSubscription(new TypeSubscription("returns", "packer"));
  await worker.sendMessage(note("x"), new AgentId("packer", "k")).catch(() => undefined);
  expect(seen.rest).toEqual([]);
  expect(worker.counters()).toMatchObject({ emptyReplays: 1, unreadableEvents: 1 });
  expect(logger.texts("warn")).toEqual([]);
  expect(logger.texts("debug")).toContainEqual(expect.stringMatching(/sent an event again without its topic/));
});

test("an event without a topic from any other host is still a warning", async () => {
  await using host = await new RawGrpcHost().listen();
  const { worker, logger } = await openWorker(host.address, ["packer"]);
  await using _ = worker;
  await worker.start();
  const channel = await host.channels.take();
  const payload = { typeName: "google.protobuf.StringValue", contentType: "application/x-protobuf", data: Buffer.of() };
  channel.send({
    kind: "event",
    event: { id: "1", topicType: "", topicSource: "", sender: undefined, payload, attributes: {} },
  });
  while (worker.counters().unreadableEvents === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(worker.counters().emptyReplays).toBe(0);
  expect(logger.texts("warn")).toHaveLength(1);
});

test("a worker that has only a subscription to register waits for the round trip, too", async () => {
  await using gateway = await new DotnetGateway().listen();
  const { worker } = await openWorker(gateway.address, [], { controlChannel: "when-needed" });
  await using _ = worker;
  await worker.addSubscription(new TypeSubscription("orders", "elsewhere"));
  await worker.start();
  expect(gateway.calls.map(({ method }) => method).sort()).toEqual(["AddSubscription", "AreYouThere", "OpenChannel"]);
  expect(gateway.calls.at(-1)?.method).toBe("AddSubscription");
});
