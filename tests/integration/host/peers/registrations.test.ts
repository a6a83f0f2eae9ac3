import { describe, expect, it } from "vitest";
import { encodeAddSubscriptionRequest, encodeRemoveSubscriptionRequest } from "../../../../src/protocol/internal.ts";
import type { CallContext } from "../../../../src/transport/index.ts";
import { linkedTransports } from "../../../support/linked-hosts.ts";
import { RawControl } from "../../../support/raw-control.ts";
import { exact, RawWorker } from "../../../support/raw-worker.ts";

const [memory] = linkedTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;

describe("registrations in a cluster", () => {
  it("refuse an agent type that a worker of another host serves, until it is free", async () => {
    await using rig = await start();
    const first = await new RawWorker(rig.one.dial(), "F").join();
    await first.register("writer");
    const second = await new RawWorker(rig.two.dial(), "S").join();
    await expect(second.register("writer")).rejects.toThrow("Agent type writer already registered with client F.");
    first.stream.cancel();
    await second.takeOver("writer");
    const caller = await new RawWorker(rig.one.dial(), "C").join();
    caller.request("1", "writer/k");
    expect(await second.nextRequest()).toMatchObject({ target: { type: "writer", key: "k" } });
  });

  it("list the subscriptions of all hosts", async () => {
    await using rig = await start();
    for (const [index, { dial }] of rig.hosts.entries()) {
      const worker = await new RawWorker(dial(), `W${index}`).join();
      await worker.register(`type-${index}`);
      await worker.subscribe(`s${index}`, { kind: "type", topicType: "news", agentType: `type-${index}` });
    }
    const asker = await new RawWorker(rig.two.dial(), "A").join();
    const listed = await asker.subscriptions();
    expect(listed.map(({ id }) => id).sort()).toEqual(["s0", "s1"]);
  });

  it("of a client whose channel is at another host are entered there", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.two.dial(), "W").join();
    const astray = new RawWorker(rig.one.dial(), "W");
    await astray.register("writer");
    await astray.subscribe("s1", { kind: "type", topicType: "news", agentType: "writer" });
    expect(rig.one.host.counters()).toMatchObject({ agentTypes: 0, subscriptions: 0 });
    expect(rig.two.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 1 });
    const publisher = await new RawWorker(rig.one.dial(), "P").join();
    publisher.publish("news", "default", "e1");
    expect((await worker.nextEvent()).id).toBe("e1");
    await astray.unsubscribe("s1");
    expect(rig.two.host.counters().subscriptions).toBe(0);
  });

  it("of a client whose channel is at another host are made in the name of the principal that asks", async () => {
    const authorize = ({ metadata }: CallContext) => ({ name: metadata.authorization ?? "nobody" });
    await using rig = await start({ host: { authorize, ownOnly: false } });
    const alice = { authorization: "alice" };
    await new RawWorker(rig.two.dial(), "W", { metadata: alice }).join();
    const astray = new RawWorker(rig.one.dial(), "W");
    await expect(astray.register("writer", { authorization: "bob" })).rejects.toThrow(
      "Another principal uses this client-id",
    );
    expect(rig.two.host.counters().agentTypes).toBe(0);
    await astray.register("writer", alice);
    expect(rig.two.host.counters().agentTypes).toBe(1);
    const subscription = { id: "s1", pattern: exact("news", "writer") };
    await astray.unary("AddSubscription", encodeAddSubscriptionRequest(subscription), alice);
    const others = new RawWorker(rig.one.dial(), "O");
    const remove = (authorization: string) =>
      others.unary("RemoveSubscription", encodeRemoveSubscriptionRequest("s1"), { authorization });
    await expect(remove("bob")).rejects.toThrow("Subscription does not exist");
    expect(rig.two.host.counters().subscriptions).toBe(1);
    await remove("alice");
    expect(rig.two.host.counters().subscriptions).toBe(0);
  });

  it("remove a subscription of another host by its id, and say so when no host has it", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.two.dial(), "W").join();
    await worker.register("writer");
    await worker.subscribe("s1", { kind: "type", topicType: "news", agentType: "writer" });
    const other = await new RawWorker(rig.one.dial(), "O").join();
    await other.unsubscribe("s1");
    expect(rig.two.host.counters().subscriptions).toBe(0);
    await expect(other.unsubscribe("s1")).rejects.toThrow("Subscription does not exist");
  });

  it("leave nothing at the cluster when their worker goes", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.one.dial(), "W").join();
    await worker.register("writer");
    expect(rig.cluster.has("writer")).toBe(true);
    worker.stream.cancel();
    await new RawWorker(rig.two.dial(), "T").join().then((next) => next.takeOver("writer"));
    expect(rig.one.host.counters().agentTypes).toBe(0);
  });
});

describe("control requests in a cluster", () => {
  it("reach the worker of another host, and the answer comes back", async () => {
    await using rig = await start();
    await (await new RawWorker(rig.two.dial(), "T").join()).register("writer");
    const target = await RawControl.open(rig.two.dial(), "T");
    await new RawWorker(rig.one.dial(), "R").join();
    const asker = await RawControl.open(rig.one.dial(), "R");
    const agentId = { type: "writer", key: "k" };
    const request = {
      destination: "agentid=writer/k",
      respondTo: "clientid=R",
      body: { kind: "save-request", agentId },
    } as const;
    asker.send({ rpcId: "1", ...request });
    expect(await target.next()).toMatchObject({ rpcId: "1", destination: "agentid=writer/k" });
    const answer = { kind: "save-response", state: "{}", error: undefined } as const;
    target.send({ rpcId: "1", destination: "clientid=R", respondTo: "", body: answer });
    expect(await asker.next()).toMatchObject({ rpcId: "1", body: { kind: "save-response", state: "{}" } });
    asker.send({ rpcId: "2", ...request });
    await target.next();
    target.stream.cancel();
    expect(await asker.next()).toMatchObject({
      rpcId: "2",
      body: { error: expect.stringContaining("ended before the answer") },
    });
    expect(rig.one.host.counters().unroutableControlMessages).toBe(0);
  });
});
