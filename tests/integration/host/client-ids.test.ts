import { describe, expect, it } from "vitest";
import type { Authorize } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import type { ControlBody } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { everyCall } from "../../support/every-call.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { RawControl } from "../../support/raw-control.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

/** Callers are who their user agent says. */
const authorize: Authorize = ({ metadata }) => {
  const [name = "", role = ""] = (metadata["user-agent"] ?? "").split(" ")[0]?.split("/") ?? [];
  return name === "nobody" ? undefined : { name, roles: [role] };
};

const refusal = {
  code: StatusCode.permissionDenied,
  details: "Another principal uses this client-id. Use a client-id of your own.",
};

/** Resolves when no channel and no control channel is open. */
async function allGone(rig: HostRig): Promise<void> {
  const watcher = new RawWorker(rig.dial("watcher"), "watcher");
  for (let open = 1; open > 0; ) {
    await watcher.unsubscribe("none").catch(() => undefined);
    const { channels, controlChannels } = rig.host.counters();
    open = channels + controlChannels;
  }
}

async function isRefused(rig: HostRig, caller: string): Promise<void> {
  const impostor = new RawWorker(rig.dial(caller), "W").open();
  expect(await impostor.ended).toMatchObject({ by: "status", status: refusal });
}

describe.each(hostTransports)("a client id that a principal uses, over $name", ({ start }) => {
  it.each(everyCall)("is refused to another principal's %s, with no word of its owner", async (_name, refusalOf) => {
    await using rig = await start({ authorize });
    const worker = await new RawWorker(rig.dial("alice"), "W", { isAnnounced: true }).join();
    await worker.register("owned");
    expect(await refusalOf(rig.dial("bob"))).toEqual(refusal);
    expect(await worker.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ deniedCalls: 1, replacedChannels: 0, controlChannels: 0 });
    expect(rig.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 0 });
  });

  it("is refused to others before its channel is open, from its first registration on until that expires", async () => {
    const clock = new ManualClock();
    await using rig = await start({ authorize, clock, registrationOrphanMs: 100 });
    await new RawWorker(rig.dial("alice"), "W").register("a");
    await isRefused(rig, "bob");
    clock.advance(100);
    await new RawWorker(rig.dial("bob"), "W").join();
  });

  it("is refused to others while its owner may come back, and free when the grace is over", async () => {
    const clock = new ManualClock();
    await using rig = await start({ authorize, clock, reconnectGraceMs: 500 });
    const worker = await new RawWorker(rig.dial("alice"), "W").join();
    await worker.register("a");
    worker.stream.end();
    await allGone(rig);
    expect(rig.host.counters().reservedClients).toBe(1);
    await isRefused(rig, "bob");
    await expect(new RawWorker(rig.dial("bob"), "W").register("b")).rejects.toMatchObject({ code: refusal.code });
    expect(await new RawWorker(rig.dial("alice"), "W").subscriptions()).toEqual([]);
    clock.advance(500);
    await new RawWorker(rig.dial("bob"), "W").join();
    expect(rig.host.counters().agentTypes).toBe(0);
  });

  it("stays reserved for its owner, however many reservations another principal makes", async () => {
    const maxSessions = 4;
    await using rig = await start({ authorize, clock: new ManualClock(), reconnectGraceMs: 500, maxSessions });
    const worker = await new RawWorker(rig.dial("alice"), "W").join();
    await worker.register("a");
    worker.stream.end();
    await allGone(rig);
    const link = rig.dial("bob");
    for (let index = 0; index <= maxSessions; index += 1) {
      const foreign = await new RawWorker(link, `B${index}`).join();
      await foreign.register(`b${index}`);
      foreign.stream.end();
      await allGone(rig);
    }
    expect(rig.host.counters().reservedClients).toBe(maxSessions);
    await isRefused(rig, "bob");
    await new RawWorker(rig.dial("alice"), "W").join();
    expect(rig.host.counters().agentTypes).toBe(1);
  });

  it("is refused to others while only a control channel of it is open, and free when that has ended", async () => {
    await using rig = await start({ authorize });
    const control = await RawControl.open(rig.dial("alice"), "W");
    await isRefused(rig, "bob");
    control.stream.cancel();
    await allGone(rig);
    await new RawWorker(rig.dial("bob"), "W").join();
  });

  it("serves the same principal under other roles: its newer channel replaces the older one", async () => {
    await using rig = await start({ authorize });
    const older = await new RawWorker(rig.dial("alice/writer"), "W").join();
    await new RawWorker(rig.dial("alice/reader"), "W").join();
    expect(await older.ended).toMatchObject({ status: { code: StatusCode.aborted } });
  });

  it.each([
    ["nobody", "alice"],
    ["alice", "nobody"],
  ])(
    "is refused where it belongs to %s and the caller is %s; callers without a principal are one",
    async (owner, other) => {
      await using rig = await start({ authorize });
      await new RawWorker(rig.dial(owner), "W").join();
      await isRefused(rig, other);
      await new RawWorker(rig.dial(owner), "W").join();
      expect(rig.host.counters()).toMatchObject({ replacedChannels: 1, deniedCalls: 1 });
    },
  );

  it("keeps its subscriptions from being removed by other clients; with ownOnly false its own principal's may", async () => {
    await using locked = await start({ authorize });
    await (await new RawWorker(locked.dial("alice"), "W").join()).subscribe("S", exact("t", "a"));
    const other = await new RawWorker(locked.dial("alice"), "A").join();
    await expect(other.unsubscribe("S")).rejects.toMatchObject({ code: StatusCode.permissionDenied });
    await using rig = await start({ authorize, ownOnly: false });
    const worker = await new RawWorker(rig.dial("alice"), "W").join();
    await worker.subscribe("S", exact("t", "a"));
    const foreign = await new RawWorker(rig.dial("bob"), "B").join();
    await expect(foreign.unsubscribe("S")).rejects.toMatchObject({ code: StatusCode.permissionDenied });
    expect(await foreign.subscriptions()).toHaveLength(1);
    await (await new RawWorker(rig.dial("alice"), "A").join()).unsubscribe("S");
    expect(await foreign.subscriptions()).toEqual([]);
  });
});

describe.each(hostTransports)("an agent that another principal's worker serves, over $name", ({ start }) => {
  it.each(["deactivate-request", "destroy-request"] as const)("is not ended by a stranger's %s", async (kind) => {
    await using rig = await start({ authorize });
    const worker = await new RawWorker(rig.dial("alice"), "W").join();
    await worker.register("kept");
    const target = await RawControl.open(rig.dial("alice"), "W");
    const stranger = await RawControl.open(rig.dial("bob"), "B");
    const own = await RawControl.open(rig.dial("alice"), "A");
    const body = { kind, agentId: { type: "kept", key: "a" } };
    for (const destination of ["agentid=kept/a", "clientid=W"]) {
      stranger.send({ rpcId: "1", destination, respondTo: "clientid=B", body });
      const error = expect.stringContaining("another principal");
      expect(await stranger.next()).toMatchObject({ rpcId: "1", body: { error } });
      expect(await target.settled()).toEqual([]);
    }
    own.send({ rpcId: "2", destination: "agentid=kept/a", respondTo: "clientid=A", body });
    expect(await target.next()).toMatchObject({ rpcId: "2", body });
  });
});

describe.each(hostTransports)("what another principal has registered, over $name", ({ start }) => {
  it("stands in the way of no subscription: same id, same content, and a worker removes its own alone", async () => {
    await using rig = await start({ authorize });
    const foreign = await new RawWorker(rig.dial("bob"), "B").join();
    await foreign.subscribe("S1", exact("orders", "packer"));
    await foreign.subscribe("S2", exact("other", "other"));
    const worker = await new RawWorker(rig.dial("alice"), "W").join();
    await worker.register("packer");
    await worker.subscribe("S2", exact("orders", "packer"));
    await worker.subscribe("S1", exact("parcels", "packer"));
    foreign.publish("orders");
    expect((await worker.nextEvent()).topicType).toBe("orders");
    await worker.unsubscribe("S1");
    expect(await foreign.subscriptions()).toHaveLength(3);
    await expect(worker.unsubscribe("S1")).rejects.toMatchObject({ code: StatusCode.permissionDenied });
    await foreign.unsubscribe("S1");
    await foreign.unsubscribe("S2");
    expect(await foreign.subscriptions()).toEqual([{ id: "S2", pattern: exact("orders", "packer") }]);
    foreign.publish("orders");
    expect((await worker.nextEvent()).topicType).toBe("orders");
  });

  it("is compared for clients of one principal, also those of generation 1 and those that come back", async () => {
    await using rig = await start({ authorize, clock: new ManualClock(), reconnectGraceMs: 500 });
    const foreign = await new RawWorker(rig.dial("bob"), "B").join();
    await foreign.subscribe("S", exact("t", "a"));
    const worker = await new RawWorker(rig.dial("alice"), "W").join();
    await worker.subscribe("S", exact("t", "a"));
    const own = await new RawWorker(rig.dial("alice"), "A").join();
    await expect(own.subscribe("S", exact("u", "a"))).rejects.toMatchObject({ code: StatusCode.invalidArgument });
    const legacy = await new RawWorker(rig.dial("alice")).join();
    legacy.send({ kind: "subscribe", requestId: "1", pattern: exact("t", "a") });
    expect(await legacy.next()).toMatchObject({ kind: "ack", error: "Subscription already exists" });
    worker.stream.end();
    await worker.ended;
    while (rig.host.counters().reservedClients === 0) await foreign.settled();
    const back = await new RawWorker(rig.dial("alice"), "W").join();
    while (rig.host.counters().subscriptions < 2) await back.settled();
    expect(await back.subscriptions()).toHaveLength(2);
  });

  it("does not keep a client that came back from removing its own of the same id before the host has all of them", async () => {
    const clock = new ManualClock();
    await using rig = await start({ authorize, clock, reconnectGraceMs: 500 });
    const worker = await new RawWorker(rig.dial("alice"), "W").join();
    const ids = Array.from({ length: 2 * limits.batchSize }, (_, index) => `S${index}`);
    await Promise.all(ids.map((id) => worker.subscribe(id, exact(id, "a"))));
    const last = ids.at(-1) ?? "";
    worker.stream.end();
    await allGone(rig);
    for (let lot = 0; lot < 10; lot += 1) clock.advance(1);
    const foreign = await new RawWorker(rig.dial("bob"), "B").join();
    await foreign.subscribe(last, exact("t", "b"));
    const back = await new RawWorker(rig.dial("alice"), "W").join();
    const removal = back.unsubscribe(last);
    await back.settled();
    for (let lot = 0; lot < 10; lot += 1) clock.advance(1);
    await removal;
    expect(await back.subscriptions()).toHaveLength(ids.length);
    await expect(back.unsubscribe(last)).rejects.toMatchObject({ code: StatusCode.permissionDenied });
  });

  it("is refused without a word of who has it, neither in the text nor beside it", async () => {
    await using rig = await start({ authorize });
    const worker = await new RawWorker(rig.dial("alice"), "W", { isAnnounced: true }).join();
    await worker.register("a");
    const foreign = await new RawWorker(rig.dial("bob"), "B", { isAnnounced: true }).join();
    const refused = await foreign.register("a").catch((error) => error);
    expect(refused.status).toMatchObject({
      code: StatusCode.invalidArgument,
      details: "Agent type a already registered.",
    });
    expect(refused.status.metadata?.agholder).toBeUndefined();
    expect(refused.status.metadata?.agholderaddress).toBeUndefined();
    const own = await new RawWorker(rig.dial("alice"), "A", { isAnnounced: true }).join();
    const named = await own.register("a").catch((error) => error);
    expect(named.status.details).toBe("Agent type a already registered with client W.");
    expect(named.status.metadata).toMatchObject({ agholder: "W", agholderaddress: expect.any(String) });
  });
});

describe.each(hostTransports)("the control channel of another principal, over $name", ({ start }) => {
  const request: ControlBody = { kind: "save-request", agentId: { type: "a", key: "k" } };
  const answer: ControlBody = { kind: "save-response", state: "forged", error: undefined };

  it("can't ask in a worker's name: the request is refused to its sender and reaches nobody", async () => {
    await using rig = await start({ authorize });
    const worker = await RawControl.open(rig.dial("alice"), "W");
    const target = await RawControl.open(rig.dial("carol"), "T");
    const foreign = await RawControl.open(rig.dial("bob"), "B");
    foreign.send({ rpcId: "1", destination: "clientid=T", respondTo: "clientid=W", body: request });
    expect(await foreign.next()).toMatchObject({
      ...{ rpcId: "1", destination: "clientid=B", respondTo: "" },
      body: { kind: "save-response", error: expect.stringContaining("another principal's") },
    });
    expect(await target.settled()).toEqual([]);
    expect(await worker.settled()).toEqual([]);
    expect(rig.host.counters().unroutableControlMessages).toBe(1);
  });

  it("can't answer what a worker has not asked it; what the worker has asked it can", async () => {
    await using rig = await start({ authorize });
    const worker = await RawControl.open(rig.dial("alice"), "W");
    const target = await RawControl.open(rig.dial("carol"), "T");
    const foreign = await RawControl.open(rig.dial("bob"), "B");
    worker.send({ rpcId: "1", destination: "clientid=T", respondTo: "clientid=W", body: request });
    await target.next();
    foreign.send({ rpcId: "1", destination: "clientid=W", respondTo: "", body: answer });
    await foreign.settled();
    target.send({ rpcId: "1", destination: "clientid=W", respondTo: "", body: { ...answer, state: "true" } });
    expect(await worker.next()).toMatchObject({ rpcId: "1", body: { state: "true" } });
    expect(await worker.settled()).toEqual([]);
    expect(rig.host.counters().unroutableControlMessages).toBe(1);
  });

  it("can't make the host forget what a worker has asked, however much it asks itself", async () => {
    await using rig = await start({ authorize });
    const worker = await RawControl.open(rig.dial("alice"), "W");
    const target = await RawControl.open(rig.dial("carol"), "T");
    const foreign = await RawControl.open(rig.dial("bob"), "B");
    worker.send({ rpcId: "1", destination: "clientid=T", respondTo: "clientid=W", body: request });
    await target.next();
    for (let index = 0; index <= limits.controlWaitsPerAsker; index += 1)
      foreign.send({ rpcId: `b${index}`, destination: "clientid=T", respondTo: "clientid=B", body: request });
    expect(await foreign.next()).toMatchObject({
      ...{ rpcId: `b${limits.controlWaitsPerAsker}`, destination: "clientid=B", respondTo: "" },
      body: { kind: "save-response", error: expect.stringContaining("wait for answers first") },
    });
    target.send({ rpcId: "1", destination: "clientid=W", respondTo: "", body: { ...answer, state: "true" } });
    expect(await worker.next()).toMatchObject({ rpcId: "1", body: { state: "true" } });
    target.send({ rpcId: "b0", destination: "clientid=B", respondTo: "", body: { ...answer, state: "first" } });
    expect(await foreign.next()).toMatchObject({ rpcId: "b0", body: { state: "first" } });
    // One has been answered: there is a place again.
    foreign.send({ rpcId: "again", destination: "clientid=T", respondTo: "clientid=B", body: request });
    expect(await foreign.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unroutableControlMessages: 0, refusedByLimit: 1 });
  });

  it("gets its answer to a request with a long agent key; one beyond the bound is refused at once", async () => {
    await using rig = await start({ authorize });
    await (await new RawWorker(rig.dial("carol"), "T").join()).register("a");
    const target = await RawControl.open(rig.dial("carol"), "T");
    const foreign = await RawControl.open(rig.dial("bob"), "B");
    const ask = (rpcId: string, chars: number) => {
      const key = "k".repeat(chars);
      const long: ControlBody = { kind: "save-request", agentId: { type: "a", key } };
      foreign.send({ rpcId, destination: `agentid=a/${key}`, respondTo: "clientid=B", body: long });
    };
    ask("1", 5_000);
    // The same again under its id: the newer one counts.
    ask("1", 5_000);
    await target.next();
    await target.next();
    target.send({ rpcId: "1", destination: "clientid=B", respondTo: "", body: answer });
    expect(await foreign.next()).toMatchObject({ rpcId: "1", body: answer });
    ask("2", limits.controlWaitBytesPerAsker / 2);
    const error = expect.stringContaining(
      `The host takes ${limits.controlWaitBytesPerAsker}: use a shorter agent key.`,
    );
    expect(await foreign.next()).toMatchObject({ rpcId: "2", body: { kind: "save-response", error } });
    expect(await target.settled()).toEqual([]);
  });

  it("leaves nothing of its requests behind when it ends: a client that asks and goes fills no bound", async () => {
    await using rig = await start({ authorize });
    const target = await RawControl.open(rig.dial("carol"), "T");
    for (const round of ["1", "2"]) {
      const asker = await RawControl.open(rig.dial("bob"), "B");
      for (let index = 0; index < limits.controlWaitsPerAsker; index += 1)
        asker.send({ rpcId: `${round}-${index}`, destination: "clientid=T", respondTo: "clientid=B", body: request });
      expect(await asker.settled()).toEqual([]);
      asker.stream.end();
      await asker.ended;
      while (rig.host.counters().controlChannels > 1) await target.settled();
    }
    expect(rig.host.counters().refusedByLimit).toBe(0);
  });
});
