import { describe, expect, it } from "vitest";
import { encodeAddSubscriptionRequest, encodeRegisterAgentRequest } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker, textOf } from "../../support/raw-worker.ts";

const noClientId = { code: StatusCode.invalidArgument, details: "client-id metadata not found." };

describe.each(hostTransports)("client ids and registration over $name", ({ start }) => {
  it("serves every method of generation 3 [§8.2]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    await worker.subscribe("S", exact("t", "a"));
    expect(await worker.subscriptions()).toHaveLength(1);
    await worker.unsubscribe("S");
    expect(rig.host.counters()).toMatchObject({ channels: 1, agentTypes: 1, subscriptions: 0 });
  });

  it.each([
    ["RegisterAgent", encodeRegisterAgentRequest("a")],
    ["AddSubscription", encodeAddSubscriptionRequest({ id: "S", pattern: exact("t", "a") })],
    ["RemoveSubscription", new Uint8Array()],
    ["GetSubscriptions", new Uint8Array()],
  ])("refuses %s without a client id [§8.14]", async (method, request) => {
    await using rig = await start();
    await expect(rig.dial().unary(method, request)).rejects.toMatchObject({ status: noClientId });
  });

  it("refuses a channel without a client id when legacy workers are not welcome [§8.15]", async () => {
    await using rig = await start({ acceptLegacyWorkers: false });
    expect(await new RawWorker(rig.dial()).open().ended).toMatchObject({ by: "status", status: noClientId });
  });

  it("refuses a type that another client has, and names that client [§8.16]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.register("a");
    await expect(y.register("a")).rejects.toMatchObject({
      status: { code: StatusCode.invalidArgument, details: "Agent type a already registered with client X." },
    });
  });

  it("grants a client its own type again [§8.17]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await x.register("a");
    await x.register("a");
    expect(rig.host.counters().agentTypes).toBe(1);
  });

  it("frees the types of a client whose channel has ended [§8.18]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.register("a");
    x.stream.cancel();
    await x.ended;
    await y.takeOver("a");
    expect(rig.host.counters().agentTypes).toBe(1);
  });

  it("routes calls and events to a client that registered before it opened its channel [§8.19]", async () => {
    await using rig = await start();
    const x = new RawWorker(rig.dial(), "X");
    await x.register("a");
    await x.subscribe("S", exact("t", "a"));
    await x.join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    y.request("1", "a/k");
    x.respond((await x.nextRequest()).requestId, "here");
    expect(textOf(await y.nextResponse())).toBe("here");
    y.publish("t");
    expect((await x.nextEvent()).topicType).toBe("t");
  });

  it("forgets a client that registered and never opened its channel [§8.20]", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock });
    const ghost = new RawWorker(rig.dial(), "ghost");
    await ghost.register("a");
    await ghost.subscribe("S", exact("t", "a"));
    const y = await new RawWorker(rig.dial(), "Y").join();
    clock.advance(29_999);
    await expect(y.register("a")).rejects.toThrow("already registered with client ghost");
    clock.advance(1);
    await y.register("a");
    expect(await y.subscriptions()).toEqual([]);
    expect(rig.host.counters().expiredClients).toBe(1);
  });

  it("keeps the registrations of a client whose channel came in time", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock });
    const x = new RawWorker(rig.dial(), "X");
    await x.register("a");
    await x.join();
    clock.advance(1_000_000);
    expect(rig.host.counters()).toMatchObject({ agentTypes: 1, expiredClients: 0 });
  });

  it("ends the older of two channels with one client id and keeps all registrations with the newer [§8.21]", async () => {
    await using rig = await start();
    const first = await new RawWorker(rig.dial(), "X").join();
    await first.register("a");
    await first.subscribe("S", exact("t", "a"));
    const second = await new RawWorker(rig.dial(), "X").join();
    expect(await first.ended).toMatchObject({
      by: "status",
      status: { code: StatusCode.aborted, details: "replaced by a newer channel" },
    });
    second.publish("t");
    expect((await second.nextEvent()).topicType).toBe("t");
    second.request("1", "a/k");
    expect((await second.nextRequest()).target).toEqual({ type: "a", key: "k" });
  });

  it("is not disturbed by the late end of a channel that was replaced [§8.22]", async () => {
    await using rig = await start();
    const first = await new RawWorker(rig.dial(), "X").join();
    await first.register("a");
    const second = await new RawWorker(rig.dial(), "X").join();
    await first.ended;
    first.stream.cancel();
    await first.link.close();
    expect(await second.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ channels: 1, agentTypes: 1 });
  });

  it("answers the callers of a channel that was replaced", async () => {
    await using rig = await start();
    const first = await new RawWorker(rig.dial(), "X").join();
    await first.register("a");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "a/k");
    await first.nextRequest();
    await new RawWorker(rig.dial(), "X").join();
    expect((await caller.nextResponse()).error).toBe("Client for agent type a disconnected.");
  });

  it("takes a half-closed channel for a client that has left, and ends the call [§8.23]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await x.register("a");
    await x.subscribe("S", exact("t", "a"));
    x.stream.end();
    expect(await x.ended).toMatchObject({ by: "status", status: { code: StatusCode.ok } });
    expect(rig.host.counters()).toMatchObject({ channels: 0, agentTypes: 0, subscriptions: 0 });
  });

  it("drops types and subscriptions of a cancelled channel from routing and from GetSubscriptions [§8.24]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.register("a");
    await x.subscribe("S", exact("t", "a"));
    x.stream.cancel();
    await y.takeOver("a");
    expect(await y.subscriptions()).toEqual([]);
    y.publish("t");
    expect(await y.settled()).toEqual([]);
    expect(rig.host.counters().unroutableEvents).toBe(1);
  });

  it.each(["", "a b", "a:b", "a/b", "a\n"])("refuses the agent type %j [§8.27]", async (agentType) => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await expect(x.register(agentType)).rejects.toMatchObject({
      status: { code: StatusCode.invalidArgument, details: expect.stringContaining("Invalid agent type: ") },
    });
    expect(rig.host.counters().agentTypes).toBe(0);
  });

  it("refuses the agent types and the topics of Troupe's own, and says so", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const refused = (what: string) => ({
      status: {
        code: StatusCode.invalidArgument,
        details: `The ${what} is reserved: names that begin with troupe. belong to Troupe. Choose another name.`,
      },
    });
    await expect(x.register("troupe.runs")).rejects.toMatchObject(refused('agent type "troupe.runs"'));
    const subscriptions = [
      x.subscribe("agent", exact("t", "troupe.runs")),
      x.subscribe("topic", exact("troupe.news", "a")),
    ];
    await expect(subscriptions[0]).rejects.toMatchObject(refused('agent type "troupe.runs"'));
    await expect(subscriptions[1]).rejects.toMatchObject(refused('topic type "troupe.news"'));
    expect(rig.host.counters().agentTypes).toBe(0);
    expect(await x.subscriptions()).toEqual([]);
    await x.register("troupe-runs");
    await x.subscribe("another", exact("troupe", "troupe-runs"));
  });

  it("ignores a frame without content and lets the stream live [§8.13]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    x.sendBytes(new Uint8Array());
    x.sendBytes(Buffer.from("f20100", "hex"));
    expect(await x.settled()).toEqual([]);
    expect(rig.host.counters().emptyFrames).toBe(2);
  });

  it("asks the authorize option before it serves a call, and refuses with its status", async () => {
    await using rig = await start({
      authorize: ({ metadata }) =>
        metadata["client-id"] === "good" ? undefined : { code: StatusCode.unauthenticated, details: "who are you?" },
    });
    const status = { code: StatusCode.unauthenticated, details: "who are you?" };
    const bad = new RawWorker(rig.dial(), "bad");
    await expect(bad.register("a")).rejects.toMatchObject({ status });
    expect(await bad.open().ended).toMatchObject({ by: "status", status });
    await (await new RawWorker(rig.dial(), "good").join()).register("a");
  });

  it("refuses a call when the authorize option itself fails", async () => {
    await using rig = await start({
      authorize: () => {
        throw new Error("the token service is down");
      },
    });
    await expect(new RawWorker(rig.dial(), "X").register("a")).rejects.toMatchObject({
      status: { code: StatusCode.permissionDenied },
    });
  });

  it("refuses new calls while it stops", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const stopped = rig.host.servicer.drain(1_000, new Promise(() => {}));
    const status = { code: StatusCode.unavailable, details: "Host is shutting down." };
    await expect(x.register("a")).rejects.toMatchObject({ status });
    expect(await x.ended).toMatchObject({ by: "status", status });
    expect(await new RawWorker(rig.dial(), "Y").open().ended).toMatchObject({ by: "status", status });
    await stopped;
  });
});

describe.each(hostTransports)("several owners of one type over $name", ({ start }) => {
  it("sends an event to every owner, and the calls to one agent to the same owner until it leaves", async () => {
    const picks = [0, 0.99, 0];
    await using rig = await start({ allowMultipleOwners: true, random: () => picks.shift() ?? 0 });
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    for (const worker of [x, y]) {
      await worker.register("a");
      await worker.subscribe(`S-${worker.clientId}`, exact("t", "a"));
    }
    x.publish("t");
    expect((await x.nextEvent()).topicType).toBe("t");
    expect((await y.nextEvent()).topicType).toBe("t");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "a/one");
    await x.nextRequest();
    caller.request("2", "a/two");
    await y.nextRequest();
    caller.request("3", "a/two");
    await y.nextRequest();
    y.stream.cancel();
    expect((await caller.nextResponse()).error).toBe("Client for agent type a disconnected.");
    expect((await caller.nextResponse()).error).toBe("Client for agent type a disconnected.");
    caller.request("4", "a/two");
    expect((await x.nextRequest()).target).toEqual({ type: "a", key: "two" });
  });
});
