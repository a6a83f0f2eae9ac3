import { describe, expect, it } from "vitest";
import { limits } from "../../../src/host/limits.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

const dotnet = "grpc-dotnet/2.67.0 (.NET 8.0.11; CLR 8.0.11; net8.0; linux; x64)";

/** A worker that serves "d" and gets the topic "t", and whose channel has ended. */
async function gone(rig: HostRig, userAgent: string | undefined): Promise<void> {
  const worker = await new RawWorker(rig.dial(userAgent), "D").join();
  await worker.register("d");
  await worker.subscribe("S", exact("t", "d"));
  worker.stream.cancel();
  await left(rig);
}

/** Resolves when only the watching worker has a channel. */
async function left(rig: HostRig): Promise<void> {
  const watcher = new RawWorker(rig.dial(), "W");
  while (rig.host.counters().channels > 0) await watcher.unsubscribe("none").catch(() => undefined);
}

describe.each(hostTransports)("a client that comes back under its id over $name", ({ start }) => {
  it("finds its types and subscriptions again when it is one of .NET's and the filter is off", async () => {
    await using rig = await start({ clock: new ManualClock(), filterByPeer: false });
    await gone(rig, dotnet);
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "d/k");
    expect((await caller.nextResponse()).error).toBe("Agent type d not found.");
    expect(await caller.subscriptions()).toEqual([]);
    caller.publish("t");
    await caller.settled();
    expect(rig.host.counters()).toMatchObject({ unroutableEvents: 1, reservedClients: 1, agentTypes: 0 });

    const back = await new RawWorker(rig.dial(dotnet), "D").join();
    caller.publish("t", "s", "E2");
    expect((await back.nextEvent()).id).toBe("E2");
    caller.request("2", "d/k");
    back.respond((await back.nextRequest()).requestId, "fine");
    expect((await caller.nextResponse()).requestId).toBe("2");
    expect(await caller.subscriptions()).toEqual([{ id: "S", pattern: exact("t", "d") }]);
    expect(rig.host.counters()).toMatchObject({ reservedClients: 0, agentTypes: 1, subscriptions: 1 });
  });

  it("does not get a type back that another client has claimed meanwhile [§8.26]", async () => {
    await using rig = await start({ clock: new ManualClock(), filterByPeer: false });
    await gone(rig, dotnet);
    const claimer = await new RawWorker(rig.dial(), "C").join();
    await claimer.register("d");
    await claimer.subscribe("S2", exact("t", "d"));
    const back = await new RawWorker(rig.dial(dotnet), "D").join();
    claimer.publish("t");
    expect((await claimer.nextEvent()).topicType).toBe("t");
    claimer.request("1", "d/k");
    expect((await claimer.nextRequest()).target?.type).toBe("d");
    await expect(back.register("d")).rejects.toMatchObject({ status: { code: StatusCode.invalidArgument } });
    expect(await back.settled()).toEqual([]);
    expect(await back.subscriptions()).toEqual([{ id: "S2", pattern: exact("t", "d") }]);
  });

  it("finds nothing when it comes back after the grace", async () => {
    const clock = new ManualClock();
    // The raw worker asks the host for an error, to know that all before it is through.
    await using rig = await start({ clock, dotnetErrors: "status" });
    await gone(rig, dotnet);
    clock.advance(10_000);
    const back = await new RawWorker(rig.dial(dotnet), "D").join();
    expect(await back.subscriptions()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ reservedClients: 0, agentTypes: 0 });
  });

  it("is forgotten at once when it is not one of .NET's, or when the host gives no grace", async () => {
    for (const [userAgent, options] of [
      [undefined, {}],
      [dotnet, { reconnectGraceMs: 0 }],
    ] as const) {
      await using rig = await start({ ...options, clock: new ManualClock(), dotnetErrors: "status" });
      await gone(rig, userAgent);
      expect(rig.host.counters().reservedClients).toBe(0);
    }
  });

  it("finds its types again whatever it is when the host gives everybody a grace; a stopped host keeps no timers", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock, reconnectGraceMs: 500 });
    await gone(rig, undefined);
    const back = await new RawWorker(rig.dial(), "D").join();
    expect(rig.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 1 });
    back.stream.end();
    await left(rig);
    expect(rig.host.counters().reservedClients).toBe(1);
    await rig.host.stop({ graceMs: 0 });
    expect(clock.pendingTimers).toBe(0);
  });

  it("finds what is reserved though it registered something else ahead, and its channel came too late for that", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock, reconnectGraceMs: 500, registrationOrphanMs: 100 });
    await gone(rig, undefined);
    await new RawWorker(rig.dial(), "D").register("x");
    clock.advance(100);
    expect(rig.host.counters()).toMatchObject({ expiredClients: 1, reservedClients: 1, agentTypes: 0 });
    await new RawWorker(rig.dial(), "D").join();
    expect(rig.host.counters()).toMatchObject({ reservedClients: 0, agentTypes: 1, subscriptions: 1 });
  });

  it("has its thousands of subscriptions again in lots, and loses none if it leaves meanwhile", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock, reconnectGraceMs: 500 });
    const first = await new RawWorker(rig.dial(), "D").join();
    const ids = Array.from({ length: 1_200 }, (_, index) => `S${index}`);
    await Promise.all(ids.map((id) => first.subscribe(id, exact(id, "d"))));
    first.stream.cancel();
    await left(rig);
    for (let lot = 0; lot < 10; lot += 1) clock.advance(1);
    const second = await new RawWorker(rig.dial(), "D").join();
    expect(rig.host.counters().subscriptions).toBe(limits.batchSize);
    second.stream.cancel();
    await left(rig);
    for (let lot = 0; lot < 10; lot += 1) clock.advance(1);
    const third = await new RawWorker(rig.dial(), "D").join();
    const removal = third.unsubscribe("S1199");
    await third.settled();
    for (let lot = 0; lot < 10; lot += 1) clock.advance(1);
    await removal;
    expect((await third.subscriptions()).map(({ id }) => id)).toEqual(ids.slice(0, -1));
  });

  it("is forgotten early when what is kept for all of them gets too much: the oldest go first", async () => {
    await using rig = await start({ clock: new ManualClock(), reconnectGraceMs: 500, maxSubscriptions: 10 });
    for (const clientId of ["A", "B", "C"]) {
      const worker = await new RawWorker(rig.dial(), clientId).join();
      for (let count = 0; count < 4; count += 1)
        await worker.subscribe(`${clientId}${count}`, exact(clientId, `d${count}`));
      worker.stream.cancel();
      await left(rig);
    }
    expect(rig.host.counters().reservedClients).toBe(2);
    expect(await (await new RawWorker(rig.dial(), "A").join()).subscriptions()).toEqual([]);
    expect(await (await new RawWorker(rig.dial(), "C").join()).subscriptions()).toHaveLength(4);
  });
});

describe.each(hostTransports)("a client that waits for authorize when its time is up, over $name", ({ start }) => {
  /** An `authorize` that keeps its answers to calls of some methods back until the test lets them go. */
  function holding(...held: readonly string[]) {
    let onAsked: () => void = () => {};
    const waiting: ((answer: { readonly name: string }) => void)[] = [];
    const alice = { name: "alice" };
    const gate = { isShut: false };
    const authorize = ({ method }: { readonly method: string }) => {
      if (!gate.isShut || !held.includes(method)) return alice;
      return new Promise<{ readonly name: string }>((resolve) => {
        waiting.push(resolve);
        onAsked();
      });
    };
    const asked = async (times = 1): Promise<void> => {
      while (waiting.length < times) {
        await new Promise<void>((resolve) => {
          onAsked = resolve;
        });
      }
    };
    return { authorize, gate, asked, admit: () => waiting[0]?.(alice), refuse: () => waiting[0]?.({ name: "" }) };
  }

  it.each(["admit", "refuse"] as const)("keeps what is reserved until the host decides, here to %s it", async (how) => {
    const clock = new ManualClock();
    const { authorize, gate, asked, ...answer } = holding("OpenChannel");
    await using rig = await start({ clock, reconnectGraceMs: 500, authorize });
    await gone(rig, undefined);
    gate.isShut = true;
    const back = new RawWorker(rig.dial(), "D").open();
    await asked();
    clock.advance(500);
    expect(rig.host.counters().reservedClients).toBe(1);
    answer[how]();
    if (how === "admit") {
      await back.settled();
      expect(rig.host.counters()).toMatchObject({ reservedClients: 0, agentTypes: 1, subscriptions: 1 });
    } else {
      await back.ended;
      expect(rig.host.counters()).toMatchObject({ reservedClients: 0, agentTypes: 0 });
    }
  });

  it("keeps what is reserved for 30 s at most, though somebody asks again and again under its id", async () => {
    const clock = new ManualClock();
    const { authorize, gate, asked } = holding("OpenChannel");
    await using rig = await start({ clock, reconnectGraceMs: 500, authorize });
    await gone(rig, undefined);
    gate.isShut = true;
    const first = new RawWorker(rig.dial(), "D").open();
    await asked();
    clock.advance(500);
    new RawWorker(rig.dial(), "D").open();
    await asked(2);
    clock.advance(29_499);
    expect(rig.host.counters().reservedClients).toBe(1);
    clock.advance(1);
    await first.ended;
    expect(rig.host.counters().reservedClients).toBe(0);
  });

  it("keeps what it has registered ahead of its channel until the host decides on the channel", async () => {
    const clock = new ManualClock();
    const { authorize, gate, asked, admit } = holding("OpenChannel");
    await using rig = await start({ clock, registrationOrphanMs: 100, authorize });
    const worker = new RawWorker(rig.dial(), "D");
    await worker.register("d");
    gate.isShut = true;
    worker.open();
    await asked();
    clock.advance(100);
    admit();
    await worker.settled();
    expect(rig.host.counters()).toMatchObject({ agentTypes: 1, expiredClients: 0 });
  });
});
