import { describe, expect, it } from "vitest";
import type { Frame } from "../../../src/protocol/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { exact, prefix, RawWorker, textOf } from "../../support/raw-worker.ts";

function registered(requestId: string, error?: string): Frame {
  return { kind: "ack", of: "register-type", requestId, success: error === undefined, error };
}

function subscribed(requestId: string, error?: string): Frame {
  return { kind: "ack", of: "subscribe", requestId, success: error === undefined, error };
}

describe.each(hostTransports)("workers of generation 1 over $name", ({ start }) => {
  it("registers a type in the channel and acknowledges it without an error field [§8.4]", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial()).open();
    worker.sendBytes(Buffer.from("22090a013112046563686f", "hex"));
    const { bytes } = await worker.nextArrived();
    expect(Buffer.from(bytes).toString("hex")).toBe("2a050a01311001");
    worker.request("2", "echo/k");
    expect((await worker.nextRequest()).target).toEqual({ type: "echo", key: "k" });
  });

  it("refuses a type that another channel has [§8.5]", async () => {
    await using rig = await start();
    const one = new RawWorker(rig.dial()).open();
    one.send({ kind: "register-type", requestId: "1", agentType: "echo" });
    expect(await one.next()).toEqual(registered("1"));
    const two = new RawWorker(rig.dial()).open();
    two.send({ kind: "register-type", requestId: "1", agentType: "echo" });
    expect(await two.next()).toEqual(registered("1", "Agent type echo already registered."));
    two.send({ kind: "register-type", requestId: "2", agentType: "a b" });
    expect(await two.next()).toMatchObject({
      success: false,
      error: expect.stringContaining("Invalid agent type: a b."),
    });
    one.send({ kind: "register-type", requestId: "2", agentType: "echo" });
    expect(await one.next()).toEqual(registered("2"));
  });

  it("reads the second arm of a subscription as a prefix [§8.6]", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial()).open();
    worker.sendBytes(Buffer.from("32140a0132120f120d0a056563686f3a12046563686f", "hex"));
    const { bytes } = await worker.nextArrived();
    expect(Buffer.from(bytes).toString("hex")).toBe("3a050a01321001");
    worker.sendBytes(Buffer.from("32100a0133120b0a090a017412046563686f", "hex"));
    expect(await worker.next()).toEqual(subscribed("3"));
    const later = await new RawWorker(rig.dial(), "W").join();
    const patterns = (await later.subscriptions()).map(({ pattern }) => pattern);
    expect(patterns).toEqual([prefix("echo:", "echo"), exact("t", "echo")]);
  });

  it("refuses a subscription without an arm, a second equal one, and one for an invalid type [§8.7]", async () => {
    await using rig = await start();
    const worker = new RawWorker(rig.dial()).open();
    worker.send({ kind: "subscribe", requestId: "1", pattern: undefined });
    expect(await worker.next()).toEqual(subscribed("1", "Invalid subscription message."));
    worker.send({ kind: "subscribe", requestId: "2", pattern: exact("t", "a") });
    expect(await worker.next()).toEqual(subscribed("2"));
    worker.send({ kind: "subscribe", requestId: "3", pattern: exact("t", "a") });
    expect(await worker.next()).toEqual(subscribed("3", "Subscription already exists"));
    worker.send({ kind: "subscribe", requestId: "4", pattern: exact("t", "") });
    expect(await worker.next()).toMatchObject({ requestId: "4", success: false });
  });

  it("lets workers of generations 1 and 3 call each other and publish to each other [§8.8]", async () => {
    await using rig = await start();
    const old = new RawWorker(rig.dial()).open();
    old.send({ kind: "register-type", requestId: "1", agentType: "old" });
    await old.next();
    old.send({ kind: "subscribe", requestId: "2", pattern: exact("t", "old") });
    await old.next();
    const young = await new RawWorker(rig.dial(), "W").join();
    await young.register("young");
    await young.subscribe("S", exact("t", "young"));
    for (const [caller, target, type] of [
      [old, young, "young"],
      [young, old, "old"],
    ] as const) {
      caller.request("9", `${type}/k`);
      target.respond((await target.nextRequest()).requestId, type);
      expect(textOf(await caller.nextResponse())).toBe(type);
      caller.publish("t");
      expect((await target.nextEvent()).topicType).toBe("t");
      expect((await caller.nextEvent()).topicType).toBe("t");
    }
  });

  it("never sends a frame of generation 1 to a worker that has not sent one [§8.9]", async () => {
    await using rig = await start();
    const old = new RawWorker(rig.dial()).open();
    const young = await new RawWorker(rig.dial(), "W").join();
    await young.register("young");
    await young.subscribe("S", prefix("", "young"));
    for (const agentType of ["young", "old", "a b"]) old.send({ kind: "register-type", requestId: "1", agentType });
    old.send({ kind: "subscribe", requestId: "2", pattern: exact("t", "old") });
    expect(await old.settled()).toHaveLength(4);
    young.request("1", "nobody/k");
    young.publish("t");
    expect((await young.settled()).map(({ kind }) => kind)).toEqual(["response", "event"]);
  });

  it("forgets what a worker of generation 1 had when its channel ends", async () => {
    await using rig = await start();
    const old = new RawWorker(rig.dial()).open();
    old.send({ kind: "register-type", requestId: "1", agentType: "echo" });
    old.send({ kind: "subscribe", requestId: "2", pattern: exact("t", "echo") });
    await old.settled();
    old.stream.end();
    await old.ended;
    expect(rig.host.counters()).toMatchObject({ channels: 0, agentTypes: 0, subscriptions: 0 });
  });
});
