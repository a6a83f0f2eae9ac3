import { describe, expect, test } from "vitest";
import {
  AgentId,
  type Subscription,
  TopicId,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";

describe("GrpcWorkerAgentRuntime", () => {
  test("refuses a serialization format that is none, and names those that are", () => {
    const make = () => new GrpcWorkerAgentRuntime("127.0.0.1:1", { payloadSerializationFormat: "text/xml" });
    const known = '"application/json" or "application/x-protobuf"';
    expect(make).toThrow(`The option payloadSerializationFormat must be ${known}, not the text "text/xml".`);
    expect(make).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  });

  test("refuses an address that can't be read when it starts", async () => {
    await expect(new GrpcWorkerAgentRuntime("not an address").start()).rejects.toMatchObject({
      code: "invalid-argument",
    });
  });

  test("joins a host, calls, and leaves when it is disposed", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    {
      await using worker = new GrpcWorkerAgentRuntime(host.address);
      await worker.start();
      await worker.register("greeter", () => new FunctionAgent(() => Reply({ content: "hello" })));
      worker.addMessageSerializer(Ask);
      const answer = await worker.sendMessage(Ask({ content: "?" }), new AgentId("greeter", "default"));
      expect(answer.content).toBe("hello");
    }
    await using next = new GrpcWorkerAgentRuntime(host.address);
    await next.start();
    await next.registerFactory("greeter", () => new FunctionAgent());
  });

  test.each<[string, readonly Subscription[] | (() => Promise<readonly Subscription[]>)]>([
    ["list", [new TypeSubscription("news", "reader"), new TypePrefixSubscription("letters.", "reader")]],
    [
      "function",
      async () => [new TypeSubscription("news", "reader"), new TypePrefixSubscription("letters.", "reader")],
    ],
  ])("registers a factory together with its subscriptions, given as a %s", async (_kind, subscriptions) => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    await using worker = new GrpcWorkerAgentRuntime(host.address);
    await worker.start();
    worker.addMessageSerializer(Ask);
    const heard = new Inbox<string>();
    const factory = () => new FunctionAgent((_message, { topicId }) => heard.put(String(topicId)));
    expect((await worker.register("reader", factory, subscriptions)).type).toBe("reader");
    for (const topic of ["news/a", "letters.late/b"]) {
      await worker.publishMessage(Ask({ content: "x" }), TopicId.parse(topic));
    }
    expect(await heard.takeMany(2)).toEqual(["news/a", "letters.late/b"]);
  });

  test("shows a host that asks for it what its user has put into the metadata", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
      authorize: ({ metadata }) =>
        metadata.authorization === "Bearer let-me-in"
          ? undefined
          : { code: StatusCode.unauthenticated, details: "Who are you?" },
    });
    await host.start();
    const metadata = { Authorization: "Bearer let-me-in" };
    await using known = new GrpcWorkerAgentRuntime(host.address, { channelOptions: { metadata } });
    await known.start();
    await known.registerFactory("known", () => new FunctionAgent());
    await using stranger = new GrpcWorkerAgentRuntime(host.address);
    await stranger.registerFactory("stranger", () => new FunctionAgent());
    await expect(stranger.start()).rejects.toThrow("Who are you?");
    const impossible = { channelOptions: { metadata: { name: "Zoë" } } };
    expect(() => new GrpcWorkerAgentRuntime(host.address, impossible)).toThrow("must be printable ASCII");
  });

  test("that was never started can be disposed of", async () => {
    await using worker = new GrpcWorkerAgentRuntime("127.0.0.1:1");
    expect(worker.isRunning).toBe(false);
  });
});
