import { afterEach, describe, expect, test } from "vitest";
import { AgentId, HandlerError, TopicId, TypePrefixSubscription, TypeSubscription } from "../../src/core/index.ts";
import { decodeAddSubscriptionRequest, emptyMessage } from "../../src/protocol/index.ts";
import { grpcDialer } from "../../src/transport/index.ts";
import { WorkerRuntime } from "../../src/worker/index.ts";
import { Inbox } from "../support/inbox.ts";
import {
  Caller,
  Evt,
  type Handled,
  Msg,
  PModel,
  ProtoMessage,
  Psub,
  protoMessage,
  Subber,
  Target,
} from "./support/captured-agents.ts";
import { CapturedHost, type HostAnswer, type HostChannel, type WorkerCall } from "./support/captured-host.ts";
import { bytesOf, capturedCall, hexOf, pythonWire } from "./support/python-wire.ts";
import { meaningOf, withoutEventId } from "./support/same-saying.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const [w1, w2, w3] = [1, 8, 11] as const;
const target = new AgentId("target", "key1");

const metadata = { agerrortype: "HandlerError", agerrorcode: "handler-failed" };

/** What our worker answers otherwise than Python's on purpose: its error names class and code, and is never empty (§2.3, §11.3, W7). */
const deliberate: Readonly<Record<number, unknown>> = {
  34: { response: { request_id: "5", error: "boom from handler", metadata } },
  38: { response: { request_id: "6", error: "Error", metadata } },
};

describe("the real Python host's traffic, replayed to our worker", () => {
  let host: CapturedHost;
  let worker: WorkerRuntime;
  let channel: HostChannel;

  afterEach(async () => {
    await worker[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });

  async function startWorker(answer = accept, payloadSerializationFormat = "application/json") {
    host = await CapturedHost.start(answer);
    worker = new WorkerRuntime({
      dialer: grpcDialer(),
      address: host.address,
      payloadSerializationFormat,
      halfCloseWaitMs: 20,
      requestIdPrefix: "",
    });
    await worker.start();
    channel = await host.channels.take();
  }

  /** The host's side of a channel; the worker's is compared, message by message. `acts` start what Python's program did. */
  async function replay(call: number, acts: Readonly<Record<number, () => void>> = {}): Promise<void> {
    for (const [index, { call: at, direction, hex, description }] of pythonWire.messages.entries()) {
      if (at !== call) continue;
      if (direction === "host->client") {
        channel.write(bytesOf(hex));
        continue;
      }
      acts[index]?.();
      const own = withoutEventId(meaningOf(await channel.inbox.take()));
      expect(own, `${index}: ${description}`).toEqual(deliberate[index] ?? withoutEventId(meaningOf(bytesOf(hex))));
    }
  }

  test("a worker that serves registers, answers and publishes as Python's w1 [§8.12] [§8.64] [§8.96]", async () => {
    const calls = new Inbox<Handled>();
    const events = new Inbox<Handled>();
    await startWorker();
    await Target.register(worker, "target", () => new Target(calls));
    await Subber.register(worker, "subber", () => new Subber(events));
    const [exact, prefix] = capturedRequests(w1, "AddSubscription").slice(2).map(decodeAddSubscriptionRequest);
    await worker.addSubscription(new TypeSubscription("fix.topic", "subber", exact?.id));
    await worker.addSubscription(new TypePrefixSubscription("fix.prefix:", "subber", prefix?.id));
    expectSameRegistration(w1);

    await replay(w1);
    expect((await calls.takeMany(4)).map(({ messageId, sender }) => [messageId, sender])).toEqual([
      ["1", undefined],
      ["4", "caller/me"],
      ["5", undefined],
      ["6", undefined],
    ]);
    const seen = await events.takeMany(3);
    expect(seen[0]).toEqual({
      message: { text: "plain publish", n: 7, t: 0.5 },
      agent: "subber/src1",
      sender: undefined,
      topic: "fix.topic/src1",
      messageId: "00000000-0000-4000-8000-000000000001",
    });
    // What it published itself came back to it, and is not its own to hear.
    expect(seen.map(({ message, agent }) => [agent, Evt.is(message) ? message.text : message])).toEqual([
      ["subber/src1", "plain publish"],
      ["subber/src1", "chain"],
      ["subber/src2", "to the prefix topic"],
    ]);
  });

  test("a worker that calls and publishes sends what Python's w2 sent, and receives what it received [§8.137]", async () => {
    await startWorker();
    worker.addMessageSerializer([Msg, PModel, Evt]);
    await Caller.register(worker, "caller", () => new Caller());
    expectSameRegistration(w2);

    const answers: Promise<unknown>[] = [];
    const call = (message: unknown, recipient = target) => {
      const answer = worker.sendMessage(message, recipient);
      answer.catch(() => {});
      answers.push(answer);
    };
    const publish = (event: unknown, type: string, source: string, messageId?: string) => {
      void worker.publishMessage(event, new TopicId(type, source), { messageId });
    };
    const model = PModel({ name: "p", when: 1.5, tags: ["a", "b"] });
    await replay(w2, {
      16: () => call(Msg({ text: "hello hé ☃", n: 41 })),
      20: () => call(model),
      24: () => call(Msg({ text: "via agent", n: 1 }), new AgentId("caller", "me")),
      32: () => call(Msg({ text: "raise", n: 0 })),
      36: () => call(Msg({ text: "empty", n: 0 })),
      40: () =>
        publish(
          Evt({ text: "plain publish", n: 7, t: 0.5 }),
          "fix.topic",
          "src1",
          "00000000-0000-4000-8000-000000000001",
        ),
      42: () => publish(Evt({ text: "chain", n: 7, t: 0.5 }), "fix.topic", "src1"),
      46: () => publish(Evt({ text: "to the prefix topic", n: 9, t: 0.5 }), "fix.prefix:rest", "src2"),
    });
    const [hello, sameModel, viaAgent, raised, empty] = answers;
    expect(await hello).toEqual({ text: "re: hello hé ☃", n: 42 });
    expect(await hello).toBeInstanceOf(Msg);
    expect(await sameModel).toEqual(model);
    expect(await viaAgent).toEqual({ text: "re: via agent", n: 2 });
    await expect(raised).rejects.toEqual(new HandlerError(`${target} failed: boom from handler`));
    expect(await empty).toBeUndefined();
    expect(worker.pendingCallsCount).toBe(0);
  });

  test("a worker with protobuf payloads publishes and receives what Python's w3 did", async () => {
    const events = new Inbox<Handled>();
    await startWorker(accept, "application/x-protobuf");
    await Psub.register(worker, "psub", () => new Psub(events));
    const [, exact] = capturedRequests(w3, "AddSubscription").map(decodeAddSubscriptionRequest);
    await worker.addSubscription(new TypeSubscription("fix.proto", "psub", exact?.id));
    expectSameRegistration(w3);

    const hello = protoMessage("Hello!");
    await replay(w3, { 54: () => void worker.publishMessage(hello, new TopicId("fix.proto", "src3")) });
    const { message, agent, topic } = await events.take();
    expect(ProtoMessage.is(message)).toBe(true);
    expect({ message, agent, topic }).toEqual({ message: hello, agent: "psub/src3", topic: "fix.proto/src3" });
  });

  test("every call carries Python's headers and one client id, new for each connection", async () => {
    await startWorker();
    await Caller.register(worker, "caller", () => new Caller());
    const wanted = Object.fromEntries(
      pythonWire.requestHeaders.filter(([name]) => !["user-agent", "grpc-accept-encoding"].includes(name)),
    );
    const clientId = channel.headers["client-id"];
    expect(clientId).toMatch(uuid);
    for (const headers of [channel.headers, ...host.calls.map((made) => made.headers)]) {
      expect(headers).toMatchObject({ ...wanted, "client-id": clientId });
    }
    await worker.stop();
    await worker.start();
    expect((await host.channels.take()).headers["client-id"]).not.toBe(clientId);
  });

  test("a subscription is removed as Python's w1 did, and removing one that the host does not know succeeds [§8.35]", async () => {
    const [removed] = capturedRequests(w1, "RemoveSubscription");
    await startWorker((call) => {
      if (call.method === "GetSubscriptions") return { message: bytesOf(pythonWire.messages[57]?.hex ?? "") };
      const isUnknown = call.method === "RemoveSubscription" && hexOf(call.request) !== hexOf(removed ?? emptyMessage);
      return isUnknown ? refusalOf(19) : accept(call);
    });
    await worker.addSubscription(
      new TypePrefixSubscription("fix.prefix:", "subber", "66666666-7777-8888-9999-000000000000"),
    );
    await worker.addSubscription(new TypeSubscription("t", "subber", "nope"));
    await worker.removeSubscription("66666666-7777-8888-9999-000000000000");
    await worker.removeSubscription("nope");
    expect(host.requests("RemoveSubscription").map(hexOf)).toEqual(
      capturedRequests(w1, "RemoveSubscription").map(hexOf),
    );
    await expect(worker.removeSubscription("nope")).rejects.toMatchObject({ code: "not-found" });
  });

  test("a refusal by Python's host reaches the registering caller, with its text", async () => {
    await startWorker(({ method }) => refusalOf(method === "RegisterAgent" ? 17 : 18));
    await expect(worker.registerFactory("target", () => new Caller())).rejects.toMatchObject({
      code: "already-exists",
      message: expect.stringContaining(capturedCall(17).end?.grpcMessage ?? "no text"),
    });
    await expect(worker.addSubscription(new TypeSubscription("fix.topic", "subber"))).rejects.toMatchObject({
      code: "already-exists",
      message: expect.stringContaining(capturedCall(18).end?.grpcMessage ?? "nothing"),
    });
  });

  test("a worker resets a host that does not answer its half-close with RST_STREAM(CANCEL), as Python does", async () => {
    await startWorker();
    await worker.stop();
    expect(await channel.ended).toEqual({ isHalfClosed: true, resetCode: 8 });
  });

  /** The same calls in the same order with the same bytes, but for ids of subscriptions that are made at random. */
  function expectSameRegistration(channelCall: number): void {
    const own = host.calls.filter(({ method }) => ["RegisterAgent", "AddSubscription"].includes(method));
    const captured = registrationsOf(channelCall);
    expect(own.map(({ method }) => method)).toEqual(captured.map(({ method }) => method));
    own.forEach(({ method, request }, index) => {
      const wanted = captured[index]?.request ?? emptyMessage;
      if (method === "RegisterAgent" || hexOf(request) === hexOf(wanted)) {
        expect(hexOf(request)).toBe(hexOf(wanted));
        return;
      }
      const [made, capturedOne] = [request, wanted].map(decodeAddSubscriptionRequest);
      expect(made?.id).toMatch(uuid);
      expect(made?.pattern).toEqual(capturedOne?.pattern);
      expect(request).toHaveLength(wanted.length);
    });
  }
});

function accept(_call: WorkerCall): HostAnswer {
  return { message: emptyMessage };
}

function refusalOf(call: number): HostAnswer {
  const { end } = capturedCall(call);
  if (end === null) throw new Error(`call ${call} was not refused`);
  return { refusal: end };
}

/** What the client of a captured channel sent by unary calls, in order. */
function unaryRequests(channelCall: number) {
  const { clientId } = capturedCall(channelCall);
  return pythonWire.messages.flatMap(({ call, direction, hex }) => {
    const { path, clientId: by, end } = capturedCall(call);
    if (by !== clientId || direction === "host->client" || end === null) return [];
    return [{ method: path.replace("/agents.AgentRpc/", ""), request: bytesOf(hex), isGranted: end.grpcStatus === 0 }];
  });
}

function registrationsOf(channelCall: number) {
  return unaryRequests(channelCall).filter(
    ({ method, isGranted }) => isGranted && ["RegisterAgent", "AddSubscription"].includes(method),
  );
}

function capturedRequests(channelCall: number, name: string): readonly Uint8Array[] {
  return unaryRequests(channelCall)
    .filter(({ method }) => method === name)
    .map(({ request }) => request);
}
