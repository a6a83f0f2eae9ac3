import { describe, expect, test } from "vitest";
import { AgentId, BaseAgent, TypePrefixSubscription, TypeSubscription } from "../../../src/core/index.ts";
import {
  decodeAddSubscriptionRequest,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  emptyMessage,
  encodeGetSubscriptionsResponse,
  type WirePattern,
} from "../../../src/protocol/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { Gate } from "../../support/gate.ts";
import { exact, prefix, RawWorker } from "../../support/raw-worker.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { onlyChannel, type Script, ScriptedHost } from "../../support/worker/scripted-host.ts";
import { settled } from "../../support/worker/stage.ts";
import { startRig, type WorkerRig } from "../../support/worker/worker-rig.ts";

class Idle extends BaseAgent {
  constructor() {
    super("idle");
  }

  protected override onMessageImpl(): void {}
}

/** Refuses the methods named, as the given error says, and answers the others. */
function refusing(error: RpcError, ...methods: string[]): Script {
  return ({ method }) => {
    if (methods.includes(method)) throw error;
    return emptyMessage;
  };
}

/** What the host has been told by all its workers, in this order. */
async function heldByHost(rig: WorkerRig): Promise<readonly (WirePattern | undefined)[]> {
  const link = rig.dialer.dial(rig.host.address);
  const held = await new RawWorker(link, "asker").subscriptions();
  await link.close();
  return held.map(({ pattern }) => pattern);
}

const pythonNotImplemented = new RpcError(
  StatusCode.unknown,
  "Unexpected <class 'NotImplementedError'>: Method not implemented.",
);

describe("registration", () => {
  test("before the start is announced at the start, types before subscriptions [§8.29]", async () => {
    await using host = await new ScriptedHost().listen();
    const worker = host.newWorker();
    await worker.addSubscription(new TypeSubscription("t", "a", "s1"));
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.registerAgentInstance(new FunctionAgent(), new AgentId("b", "k"));
    expect(host.calls).toEqual([]);
    await worker.start();
    expect(host.methods).toEqual(["RegisterAgent", "RegisterAgent", "AddSubscription"]);
    const [first, second, third] = host.calls.map((call) => call.request);
    expect([first, second].map((bytes) => decodeRegisterAgentRequest(bytes ?? emptyMessage))).toEqual(["a", "b"]);
    expect(decodeAddSubscriptionRequest(third ?? emptyMessage)).toEqual({
      id: "s1",
      pattern: { kind: "type", topicType: "t", agentType: "a" },
    });
  });

  test("goes out under the client id of the channel", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await worker.registerFactory("a", () => new FunctionAgent());
    expect(channel.clientId).toMatch(/^[0-9a-f-]{36}$/);
    expect(host.calls[0]?.clientId).toBe(channel.clientId);
  });

  test("that the host refuses leaves nothing here, and is asked again later [§8.28]", async () => {
    const taken = new RpcError(StatusCode.invalidArgument, "Agent type a already registered with client X.");
    await using host = await new ScriptedHost(refusing(taken, "RegisterAgent")).listen();
    const [worker] = await host.worker();
    const register = () => worker.registerFactory("a", () => new FunctionAgent());
    await expect(register()).rejects.toMatchObject({
      code: "already-exists",
      message: expect.stringContaining(taken.message),
    });
    const instance = worker.registerAgentInstance(new FunctionAgent(), new AgentId("a", "k"));
    await expect(instance).rejects.toMatchObject({ code: "already-exists" });
    host.script = () => emptyMessage;
    await register();
    expect(host.methods).toEqual(["RegisterAgent", "RegisterAgent", "RegisterAgent"]);
  });

  test("of a subscription that the host refuses leaves nothing here [§8.30]", async () => {
    const exists = new RpcError(StatusCode.invalidArgument, "Subscription already exists");
    await using host = await new ScriptedHost(refusing(exists, "AddSubscription")).listen();
    const [worker] = await host.worker();
    const subscription = new TypeSubscription("t", "a", "s1");
    await expect(worker.addSubscription(subscription)).rejects.toMatchObject({
      code: "already-exists",
      message: 'Subscription already exists: agent type a, topic type "t", id "s1".',
    });
    host.script = () => emptyMessage;
    await worker.addSubscription(subscription);
    await expect(worker.addSubscription(new TypeSubscription("t", "a"))).rejects.toMatchObject({
      code: "already-exists",
      message: expect.stringContaining('Subscription already exists: agent type a, topic type "t", id '),
    });
    expect(host.methods).toEqual(["AddSubscription", "AddSubscription"]);
  });

  test.each([
    ["a bound of the host", StatusCode.resourceExhausted, "overloaded"],
    ["the host's authorization", StatusCode.permissionDenied, "not-authorized"],
    ["missing credentials", StatusCode.unauthenticated, "not-authorized"],
  ])("refused because of %s says so, not that nobody is there", async (_name, status, code) => {
    const refusal = new RpcError(status, "that is why");
    const methods = ["RegisterAgent", "AddSubscription", "RemoveSubscription"];
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    await worker.addSubscription(new TypeSubscription("t", "b", "s"));
    host.script = refusing(refusal, ...methods);
    const expected = { code, message: expect.stringContaining("that is why") };
    const named = { code, message: expect.stringMatching(/\(agent type a, topic type "t", id .*\): that is why/) };
    await expect(worker.registerFactory("a", () => new FunctionAgent())).rejects.toMatchObject(expected);
    await expect(worker.addSubscription(new TypeSubscription("t", "a"))).rejects.toMatchObject(named);
    await expect(worker.removeSubscription("s")).rejects.toMatchObject(expected);
  });

  test("with a subscription that the worker refuses tells the host nothing, and is free for another worker", async () => {
    await using rig = await startRig();
    const worker = await rig.worker();
    const other = await rig.worker();
    const known = new TypeSubscription("known", "b");
    await worker.addSubscription(known);
    const ofOwnKind = {
      ...{ id: "own", isMatch: () => true, equals: () => false },
      mapToAgent: () => new AgentId("a", "k"),
    };
    for (const [refused, code] of [
      [ofOwnKind, "invalid-argument"],
      [known, "already-exists"],
      [new TypeSubscription("known", "b"), "already-exists"],
      [new TypeSubscription("fine", "a"), "already-exists"],
      [new TypeSubscription("t", "no type"), "invalid-argument"],
    ] as const) {
      const subscriptions = [new TypeSubscription("fine", "a"), refused];
      await expect(worker.registerFactory("a", () => new Idle(), { subscriptions })).rejects.toMatchObject({ code });
      if (refused === known) continue;
      const instance = worker.registerAgentInstance(new Idle(), new AgentId("i", "k"), { subscriptions: [ofOwnKind] });
      await expect(instance).rejects.toMatchObject({ code: "invalid-argument" });
    }
    expect(await heldByHost(rig)).toEqual([exact("known", "b")]);
    await other.registerFactory("a", () => new Idle());
    await other.registerAgentInstance(new Idle(), new AgentId("i", "k"));
  });

  test("refused at the start makes the start fail, and it can be started again", async () => {
    const taken = new RpcError(StatusCode.invalidArgument, "Agent type a already registered with client X.");
    await using host = await new ScriptedHost(refusing(taken, "RegisterAgent")).listen();
    const worker = host.newWorker();
    await worker.registerFactory("a", () => new FunctionAgent());
    await expect(worker.start()).rejects.toMatchObject({ code: "already-exists" });
    expect(worker.isRunning).toBe(false);
    host.script = () => emptyMessage;
    await worker.start();
    expect(worker.isRunning).toBe(true);
  });

  test("of a second instance of a type adds only its own subscription [§8.121]", async () => {
    await using rig = await startRig();
    const worker = await rig.worker();
    await new Idle().registerInstance(worker, new AgentId("inst", "k1"));
    const first = await heldByHost(rig);
    await new Idle().registerInstance(worker, new AgentId("inst", "k2"));
    const id = new AgentId("inst", "k2");
    expect((await worker.tryGetUnderlyingAgentInstance(id, Idle)).id.toString()).toBe("inst/k2");
    expect(first).toEqual([exact("k1", "inst"), prefix("inst:", "inst")]);
    expect(await heldByHost(rig)).toEqual([...first, exact("k2", "inst")]);
  });

  test("of two instances at once of a type that another worker serves leaves none of them here", async () => {
    await using rig = await startRig();
    const owner = await rig.worker();
    await owner.registerFactory("inst", () => new Idle());
    const worker = await rig.worker();
    const ids = ["k1", "k2"].map((key) => new AgentId("inst", key));
    const ends = await Promise.allSettled(ids.map((id) => new Idle().registerInstance(worker, id)));
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    for (const id of ids) {
      await expect(worker.tryGetUnderlyingAgentInstance(id)).rejects.toMatchObject({ code: "not-accessible" });
    }
  });

  test("of two instances at once tells the host of their type once, and of both waits for its answer", async () => {
    const gate = new Gate();
    await using host = await new ScriptedHost(() => gate.opened.then(() => emptyMessage)).listen();
    const [worker] = await host.worker();
    let registered = 0;
    const both = ["k1", "k2"].map(async (key) => {
      await worker.registerAgentInstance(new Idle(), new AgentId("inst", key));
      registered += 1;
    });
    await settled();
    expect(registered).toBe(0);
    gate.open();
    await Promise.all(both);
    expect(host.methods).toEqual(["RegisterAgent"]);
  });

  test("works with a host that sends neither headers nor messages [§8.12]", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker();
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.addSubscription(new TypePrefixSubscription("a:", "a"));
    expect(channel.received.rest).toEqual([]);
    expect(host.methods).toEqual(["RegisterAgent", "AddSubscription"]);
  });

  test("of an agent type that is not valid is refused here", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker] = await host.worker();
    await expect(worker.registerFactory("a b", () => new FunctionAgent())).rejects.toMatchObject({
      code: "invalid-argument",
    });
    expect(host.calls).toEqual([]);
  });
});

describe("a host of generation 1", () => {
  test("is told in the data channel [§8.10]", async () => {
    await using host = await new ScriptedHost(onlyChannel).listen();
    host.hasControl = false;
    const [worker, channel] = await host.worker();
    const registered = worker.registerFactory("a", () => new FunctionAgent());
    const register = await next(channel, "register-type");
    expect(register.agentType).toBe("a");
    const { requestId } = register;
    channel.send({ kind: "ack", of: "register-type", requestId, success: true, error: undefined });
    await registered;
    const subscribed = worker.addSubscription(new TypePrefixSubscription("a:", "a"));
    const subscribe = await next(channel, "subscribe");
    expect(subscribe.pattern).toEqual({ kind: "prefix", topicTypePrefix: "a:", agentType: "a" });
    channel.send({ kind: "ack", of: "subscribe", requestId: subscribe.requestId, success: true, error: undefined });
    await subscribed;
    channel.send(requestFrame("a/k"));
    await next(channel, "response");
  });

  test("refuses by the ack's error, and nothing is left here", async () => {
    await using host = await new ScriptedHost(onlyChannel).listen();
    const [worker, channel] = await host.worker();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const registered = worker.registerFactory("a", () => new FunctionAgent());
      const outcome = expect(registered).rejects.toMatchObject({ code: "already-exists" });
      const { requestId } = await next(channel, "register-type");
      const error = "Agent type a already registered.";
      channel.send({ kind: "ack", of: "register-type", requestId, success: false, error });
      await outcome;
    }
  });

  test("can remove no subscription: it is removed here", async () => {
    await using host = await new ScriptedHost(onlyChannel).listen();
    const worker = host.newWorker();
    const subscription = new TypeSubscription("t", "a");
    await worker.addSubscription(subscription);
    const started = worker.start();
    const channel = await host.channels.take();
    const { requestId } = await next(channel, "subscribe");
    channel.send({ kind: "ack", of: "subscribe", requestId, success: true, error: undefined });
    await started;
    await worker.removeSubscription(subscription.id);
    await expect(worker.removeSubscription(subscription.id)).rejects.toMatchObject({ code: "not-found" });
  });

  test("that is lost before its ack leaves nobody waiting", async () => {
    await using host = await new ScriptedHost(onlyChannel).listen();
    const [worker, channel] = await host.worker();
    const registered = worker.registerFactory("a", () => new FunctionAgent());
    const outcome = expect(registered).rejects.toMatchObject({ code: "disconnected" });
    await next(channel, "register-type");
    host.network.cut();
    await outcome;
  });
});

describe("removing a subscription", () => {
  test.each([
    ["UNIMPLEMENTED", new RpcError(StatusCode.unimplemented, "Method not found!")],
    ["UNKNOWN, not implemented", pythonNotImplemented],
    ["an unknown subscription", new RpcError(StatusCode.unknown, "Unexpected: Subscription does not exist")],
    ["NOT_FOUND", new RpcError(StatusCode.notFound, "Subscription does not exist")],
  ])("at a host that answers %s is done here", async (_name, error) => {
    await using host = await new ScriptedHost(refusing(error, "RemoveSubscription", "GetSubscriptions")).listen();
    const [worker] = await host.worker();
    const subscription = new TypeSubscription("t", "a");
    await worker.addSubscription(subscription);
    if (error.code === StatusCode.notFound || error.message.includes("does not exist")) {
      host.script = refusing(error, "RemoveSubscription");
    }
    await worker.removeSubscription(subscription.id);
    await expect(worker.removeSubscription(subscription.id)).rejects.toMatchObject({ code: "not-found" });
  });

  test("at a host that can't be reached for it fails and keeps it", async () => {
    const down = new RpcError(StatusCode.internal, "disk is full");
    await using host = await new ScriptedHost(refusing(down, "RemoveSubscription")).listen();
    const [worker] = await host.worker();
    const subscription = new TypeSubscription("t", "a");
    await worker.addSubscription(subscription);
    await expect(worker.removeSubscription(subscription.id)).rejects.toThrow("disk is full");
    host.script = () => emptyMessage;
    await worker.removeSubscription(subscription.id);
  });

  test("at a gateway that gives its own ids looks the entry up by its content [§8.41]", async () => {
    const listed = [
      { id: "gateway-1", pattern: { kind: "prefix", topicTypePrefix: "t", agentType: "a" } },
      { id: "gateway-2", pattern: { kind: "type", topicType: "t", agentType: "a" } },
    ] as const;
    await using host = await new ScriptedHost(({ method }) =>
      method === "GetSubscriptions" ? encodeGetSubscriptionsResponse(listed) : emptyMessage,
    ).listen();
    const [worker] = await host.worker();
    const subscription = new TypeSubscription("t", "a");
    await worker.addSubscription(subscription);
    await worker.removeSubscription(subscription.id);
    const removal = host.calls.find((call) => call.method === "RemoveSubscription");
    expect(decodeRemoveSubscriptionRequest(removal?.request ?? emptyMessage)).toBe("gateway-2");
  });

  test("at a host of Troupe's, which may hold very many, lists none of them", async () => {
    await using host = await new ScriptedHost().listen();
    host.isTroupe = true;
    const [worker] = await host.worker();
    const subscription = new TypeSubscription("t", "a");
    await worker.addSubscription(subscription);
    await worker.removeSubscription(subscription.id);
    const removal = host.calls.find((call) => call.method === "RemoveSubscription");
    expect(decodeRemoveSubscriptionRequest(removal?.request ?? emptyMessage)).toBe(subscription.id);
    expect(host.methods).not.toContain("GetSubscriptions");
  });

  test("at a host that keeps ids goes by the id, and is probed once", async () => {
    const subscriptions = [new TypeSubscription("t", "a"), new TypeSubscription("u", "a")];
    const listed = subscriptions.map(({ id }) => ({ id, pattern: undefined }));
    await using host = await new ScriptedHost(({ method }) =>
      method === "GetSubscriptions" ? encodeGetSubscriptionsResponse(listed) : emptyMessage,
    ).listen();
    const [worker] = await host.worker();
    for (const subscription of subscriptions) await worker.addSubscription(subscription);
    for (const { id } of subscriptions) await worker.removeSubscription(id);
    const removals = host.calls.filter((call) => call.method === "RemoveSubscription");
    expect(removals.map(({ request }) => decodeRemoveSubscriptionRequest(request))).toEqual(
      subscriptions.map(({ id }) => id),
    );
    expect(host.methods.filter((name) => name === "GetSubscriptions")).toHaveLength(1);
  });
});
