import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  nativeJson,
  TopicId,
  TypePrefixSubscription,
  TypeSubscription,
} from "../../src/core/index.ts";
import { Host } from "../../src/host/index.ts";
import { emptyMessage, encodeFrame } from "../../src/protocol/index.ts";
import { grpcDialer, grpcListener, StatusCode } from "../../src/transport/index.ts";
import { WorkerRuntime } from "../../src/worker/index.ts";
import { FunctionAgent } from "../support/worker/function-agent.ts";
import { CapturedHost, type HostAnswer, type WorkerCall } from "./support/captured-host.ts";
import { CapturedWorker } from "./support/captured-worker.ts";
import { readJson } from "./support/proto-json.ts";
import { bytesOf, hexOf } from "./support/python-wire.ts";
import { vectorJson } from "./support/vector-meanings.ts";
import { vector } from "./support/vectors.ts";

/** Written as `json.dumps` of Python does, with a space after the colon. */
const MyMessage = defineMessage("MyMessage", z.object({ content: z.string() }), {
  json: { ...nativeJson, stringify: (value) => nativeJson.stringify(value).replace('":', '": ') },
});

const registered = "gen1 Message.registerAgentTypeRequest{1,echo}";
const registeredAck = "gen1 Message.registerAgentTypeResponse{1,success}";
const prefixed = "gen1 Message.addSubscriptionRequest{2, prefix echo:→echo}";
const prefixedAck = "gen1 Message.addSubscriptionResponse{2,success}";
const exact = "gen1 Message.addSubscriptionRequest{3, type t→echo}";
const request = 'Message.request id 6, no source, target echo/k, JSON MyMessage {"content": "q"}';
const event = 'Python JSON event (map entries sorted), sender a/b, MyMessage {"content": "two"}, topic t/src';

const bytesFor = (name: string) => bytesOf(vector(name).hex);

async function startWorker(answer: (call: WorkerCall) => HostAnswer) {
  const host = await CapturedHost.start(answer);
  const worker = new WorkerRuntime({ dialer: grpcDialer(), address: host.address, halfCloseWaitMs: 20 });
  await worker.start();
  const channel = await host.channels.take();
  return {
    host,
    worker,
    channel,
    [Symbol.asyncDispose]: async () => {
      await worker.stop();
      await host[Symbol.asyncDispose]();
    },
  };
}

describe("our worker sends Python's own bytes", () => {
  test("when it registers in the channel of a host of generation 1 [§8.10]", async () => {
    await using world = await startWorker(() => ({
      refusal: { grpcStatus: StatusCode.unimplemented, grpcMessage: "Method not found!", trailersOnly: true },
    }));
    const { worker, channel } = world;
    const next = async () => hexOf(await channel.inbox.take());

    const registering = worker.registerFactory("echo", () => new FunctionAgent());
    expect(await next()).toBe(vector(registered).hex);
    channel.write(bytesFor(registeredAck));
    await registering;

    const subscribing = worker.addSubscription(new TypePrefixSubscription("echo:", "echo"));
    expect(await next()).toBe(vector(prefixed).hex);
    channel.write(bytesFor(prefixedAck));
    await subscribing;

    const refused = expect(worker.addSubscription(new TypeSubscription("t", "echo"))).rejects.toMatchObject({
      code: "already-exists",
      message: expect.stringContaining("Subscription already exists: agent type "),
    });
    expect(await next()).toBe(vector(exact).hex);
    channel.write(
      encodeFrame({
        kind: "ack",
        of: "subscribe",
        requestId: "3",
        success: false,
        error: "Subscription already exists",
      }),
    );
    await refused;
  });

  test("when it registers by unary calls", async () => {
    await using world = await startWorker(() => ({ message: emptyMessage }));
    await world.worker.registerFactory("echo", () => new FunctionAgent());
    await world.worker.addSubscription(new TypeSubscription("t", "echo", "S1"));
    await world.worker.addSubscription(new TypePrefixSubscription("echo:", "echo", "S2"));
    await world.worker.removeSubscription("S1");
    expect(world.host.requests("RegisterAgent", "AddSubscription", "RemoveSubscription").map(hexOf)).toEqual([
      vector("RegisterAgentTypeRequest{echo}").hex,
      vector("AddSubscriptionRequest{S1, type t→echo}").hex,
      vector("AddSubscriptionRequest{S2, prefix echo:→echo}").hex,
      vector("RemoveSubscriptionRequest{S1}").hex,
    ]);
  });

  test("when it answers a call", async () => {
    await using world = await startWorker(() => ({ message: emptyMessage }));
    world.worker.addMessageSerializer(MyMessage);
    await world.worker.registerFactory("echo", () => new FunctionAgent((message) => message));
    world.channel.write(bytesFor(request));
    expect(hexOf(await world.channel.inbox.take())).toBe(vector("answer to Message.request id 6").hex);
  });

  test("when it publishes, except for the order of the attributes", async () => {
    await using world = await startWorker(() => ({ message: emptyMessage }));
    await world.worker.publishMessage(MyMessage({ content: "two" }), new TopicId("t", "src"), {
      sender: new AgentId("a", "b"),
      messageId: "22222222-1111-1111-1111-111111111111",
    });
    const own = await world.channel.inbox.take();
    expect(own).toHaveLength(bytesFor(event).length);
    expect(readJson("agents.Message", own)).toEqual(vectorJson[event]);
  });
});

describe("our host sends Python's own bytes", () => {
  test("when a worker of generation 1 registers and subscribes in its channel [§8.4]", async () => {
    await using host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" });
    await host.start();
    await using worker = new CapturedWorker(host.address);
    const channel = worker.openChannel({ path: "/agents.AgentRpc/OpenChannel", clientId: null, end: null });
    const ask = async (name: string) => {
      channel.write(bytesFor(name));
      return hexOf(await channel.inbox.take());
    };
    expect(await ask(registered)).toBe(vector(registeredAck).hex);
    expect(await ask(prefixed)).toBe(vector(prefixedAck).hex);
  });
});
