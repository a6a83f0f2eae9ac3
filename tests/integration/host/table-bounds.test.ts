import { describe, expect, it } from "vitest";
import { limits } from "../../../src/host/limits.ts";
import { metadataKey } from "../../../src/protocol/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { RawControl } from "../../support/raw-control.ts";
import { exact, prefix, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const full = { status: { code: StatusCode.resourceExhausted } };
const invalid = { status: { code: StatusCode.invalidArgument } };

describe.each(hostTransports)("the bounds of the host's tables over $name", ({ start }) => {
  it("takes so many calls of one worker and answers one more with `overloaded`; others go on", async () => {
    await using rig = await start({ maxPendingCallsPerSession: 2 });
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("a");
    const caller = await new RawWorker(rig.dial(), "C").join();
    for (const id of ["1", "2", "3"]) caller.request(id, "a/k");
    const refusal = await caller.nextResponse();
    expect(refusal.requestId).toBe("3");
    expect(refusal.metadata[metadataKey.errorCode]).toBe("overloaded");
    const other = await new RawWorker(rig.dial(), "D").join();
    other.request("1", "a/k");
    for (let count = 0; count < 3; count += 1) target.respond((await target.nextRequest()).requestId, "fine");
    expect((await other.nextResponse()).error).toBe("");
    expect([(await caller.nextResponse()).requestId, (await caller.nextResponse()).requestId]).toEqual(["1", "2"]);
    caller.request("4", "a/k");
    await target.nextRequest();
    expect(rig.host.counters()).toMatchObject({ overloadedCalls: 1, pendingCalls: 1 });
  });

  it("takes so many calls of all workers together", async () => {
    await using rig = await start({ maxPendingCalls: 1 });
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("a");
    target.request("1", "a/k");
    await target.nextRequest();
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "a/k");
    expect((await caller.nextResponse()).metadata[metadataKey.errorCode]).toBe("overloaded");
  });

  it("keeps no request ids beyond a length: such a call is answered under its id and never forwarded", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("a");
    const longId = "1".repeat(limits.requestIdBytes + 1);
    target.request(longId, "a/k");
    expect(await target.nextResponse()).toMatchObject({
      requestId: longId,
      error: expect.stringContaining("longer than this host keeps"),
    });
    target.request(longId.slice(1), "a/k");
    expect((await target.nextRequest()).target?.key).toBe("k");
  });

  it("times a call to an agent with a long key out with the beginning of the key in its text", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "T").join();
    await worker.register("a");
    worker.request("1", `a/${"k".repeat(100_000)}`, { metadata: { [metadataKey.timeoutMs]: "1" } });
    await worker.nextRequest();
    const { error } = await worker.nextResponse();
    expect(error).toMatch(/^Request to a\/k{256}… timed out after 1 ms\.$/);
  });

  it("takes so many channels of each kind, and a client's own again", async () => {
    await using rig = await start({ maxSessions: 2 });
    const first = await new RawWorker(rig.dial(), "A").join();
    await new RawWorker(rig.dial(), "B").join();
    expect(await new RawWorker(rig.dial(), "C").open().ended).toMatchObject({ by: "status", ...full });
    const again = await new RawWorker(rig.dial(), "A").join();
    expect(await first.ended).toMatchObject({ by: "status", status: { code: StatusCode.aborted } });
    again.stream.end();
    await again.ended;
    await new RawWorker(rig.dial(), "C").join();
    await RawControl.open(rig.dial(), "B");
    await RawControl.open(rig.dial(), "C");
    expect(await new RawControl(rig.dial(), "A").ended).toMatchObject({ by: "status", ...full });
    expect(rig.host.counters()).toMatchObject({ channels: 2, controlChannels: 2, refusedByLimit: 2 });
  });

  it("takes registrations of so many clients", async () => {
    await using rig = await start({ maxSessions: 1 });
    await new RawWorker(rig.dial(), "A").register("a");
    await new RawWorker(rig.dial(), "A").register("b");
    await expect(new RawWorker(rig.dial(), "B").register("c")).rejects.toMatchObject(full);
    await expect(new RawWorker(rig.dial(), "B").subscribe("S", exact("t", "c"))).rejects.toMatchObject(full);
  });

  it("takes so many types and subscriptions of one client, and says which bound was reached", async () => {
    await using rig = await start({ maxTypesPerClient: 1, maxSubscriptionsPerClient: 1 });
    const worker = await new RawWorker(rig.dial(), "A").join();
    await worker.register("a");
    await worker.register("a");
    await expect(worker.register("b")).rejects.toMatchObject({
      status: { ...full.status, details: "This host takes 1 agent types of one client." },
    });
    await worker.subscribe("S", exact("t", "a"));
    await worker.subscribe("S", exact("t", "a"));
    await expect(worker.subscribe("S2", prefix("t", "a"))).rejects.toMatchObject(full);
    await worker.unsubscribe("S");
    await worker.subscribe("S2", prefix("t", "a"));
    const other = await new RawWorker(rig.dial(), "B").join();
    await other.register("b");
    expect(rig.host.counters()).toMatchObject({ refusedByLimit: 2, agentTypes: 2, subscriptions: 1 });
  });

  it("takes so many subscriptions of all clients", async () => {
    await using rig = await start({ maxSubscriptions: 1 });
    const worker = await new RawWorker(rig.dial(), "A").join();
    await worker.subscribe("S", exact("t", "a"));
    await expect(worker.subscribe("S2", exact("u", "a"))).rejects.toMatchObject(full);
  });

  it("keeps no names beyond a length", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "A").join();
    const long = "x".repeat(limits.nameChars + 1);
    await expect(worker.register(long)).rejects.toMatchObject(invalid);
    await expect(worker.subscribe(long, exact("t", "a"))).rejects.toMatchObject(invalid);
    await expect(worker.subscribe("S", exact(long, "a"))).rejects.toMatchObject(invalid);
    await expect(worker.subscribe("S", prefix(long, "a"))).rejects.toMatchObject(invalid);
    await expect(new RawWorker(rig.dial(), long).register("a")).rejects.toMatchObject(invalid);
    expect(await new RawWorker(rig.dial(), long).open().ended).toMatchObject({ by: "status", ...invalid });
    expect(rig.host.counters()).toMatchObject({ agentTypes: 0, subscriptions: 0, channels: 1 });
  });

  it("logs what a misbehaving worker does only so often", async () => {
    const logger = new RecordingLogger();
    await using rig = await start({ logger });
    const worker = await new RawWorker(rig.dial(), "A").join();
    for (let count = 0; count < 3 * limits.logLines; count += 1) worker.sendBytes(Uint8Array.of(0xff));
    await worker.settled();
    expect(rig.host.counters().badFrames).toBe(3 * limits.logLines);
    expect(logger.texts("warn")).toHaveLength(limits.logLines);
  });

  it("frees a client with thousands of subscriptions and calls at once for routing, and piece by piece in its tables", async () => {
    await using rig = await start();
    const leaver = await new RawWorker(rig.dial(), "A").join();
    await leaver.register("a");
    const ids = Array.from({ length: 2_000 }, (_, index) => `S${index}`);
    await Promise.all(ids.map((id) => leaver.subscribe(id, exact(id, "a"))));
    const caller = await new RawWorker(rig.dial(), "B").join();
    for (const id of ids) caller.request(id, "a/k");
    await caller.subscriptions();
    for (const _ of ids) await leaver.nextRequest();
    leaver.stream.cancel();
    for (const id of ids)
      expect(await caller.nextResponse()).toMatchObject({
        requestId: id,
        error: expect.stringContaining("disconnected"),
      });
    await caller.takeOver("a");
    expect(await caller.subscriptions()).toEqual([]);
    await Promise.all(ids.map((id) => caller.subscribe(id, exact(id, "a"))));
    for (const id of ids) caller.publish(id, "s", id);
    for (const id of ids) expect((await caller.nextEvent()).id).toBe(id);
    expect(rig.host.counters()).toMatchObject({ subscriptions: 2_000, pendingCalls: 0 });
  });
});
