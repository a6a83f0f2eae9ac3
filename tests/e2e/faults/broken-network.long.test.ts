import { type Fault, type FaultProxy, startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { fact } from "../../support/load/facts.ts";
import { Caller } from "./support/caller.ts";
import { missingEvents, untilAccounted } from "./support/event-account.ts";
import { startHostProgram, startWorkerProgram, untilCounters, type WorkerReport } from "./support/remote-program.ts";

/** A dead peer is noticed within half a second here, by either side, so that the tests are short. */
const channelOptions = { pingIntervalMs: 200, pingTimeoutMs: 300 };
const workerOptions = { channelOptions, startTimeoutMs: 1_000, reconnect: { initialDelayMs: 20, maxDelayMs: 200 } };

interface Breakage {
  readonly name: string;
  readonly break: (proxy: FaultProxy) => void;
  /** Whether the connection must be made anew. */
  readonly isFatal: boolean;
}

const apply = (fault: Fault) => (proxy: FaultProxy) => proxy.apply(fault);
/** Hits every connection that stands in the middle of what it is sending. */
const breakages: readonly Breakage[] = [
  {
    name: "a delay with jitter",
    isFatal: false,
    break: apply({ kind: "delay", delayMs: 20, jitterMs: 30, forMs: 300 }),
  },
  { name: "a slow line", isFatal: false, break: apply({ kind: "throttle", bytesPerSecond: 50_000, forMs: 300 }) },
  { name: "a short stall", isFatal: false, break: apply({ kind: "stall", forMs: 100 }) },
  { name: "a stall that lasts", isFatal: true, break: apply({ kind: "stall", forMs: 2_000 }) },
  { name: "a stall towards the host", isFatal: true, break: apply({ kind: "stall", in: "to-target", forMs: 2_000 }) },
  {
    name: "a stall towards the workers",
    isFatal: true,
    break: apply({ kind: "stall", in: "to-client", forMs: 2_000 }),
  },
  { name: "a black hole", isFatal: true, break: apply({ kind: "drop", forMs: 2_000 }) },
  {
    name: "a black hole towards the host",
    isFatal: true,
    break: apply({ kind: "drop", in: "to-target", forMs: 2_000 }),
  },
  {
    name: "a black hole towards the workers",
    isFatal: true,
    break: apply({ kind: "drop", in: "to-client", forMs: 2_000 }),
  },
  { name: "an end from the host's side", isFatal: true, break: apply({ kind: "half-close", in: "to-client" }) },
  { name: "an end from the workers' side", isFatal: true, break: apply({ kind: "half-close", in: "to-target" }) },
  { name: "an end from both sides", isFatal: true, break: apply({ kind: "close" }) },
  { name: "a reset", isFatal: true, break: apply({ kind: "reset" }) },
  {
    name: "a reset, and refusals after it",
    isFatal: true,
    break: (proxy) => {
      proxy.apply({ kind: "refuse", forMs: 500 });
      proxy.apply({ kind: "reset" });
    },
  },
];

describe("between workers and host", () => {
  test.each(breakages.map((breakage) => [breakage.name, breakage] as const))(
    "%s costs no call its outcome and gives nobody a wrong answer",
    { timeout: 60_000 },
    async (_name, breakage) => {
      await using host = await startHostProgram({ channelOptions });
      await using proxy = await startFaultProxy({ target: host.ready.address });
      await using target = await startWorkerProgram({
        address: proxy.address,
        echoes: ["far"],
        readers: [{ type: "far_reader", topic: "to_far" }],
        options: workerOptions,
      });
      await using near = await Caller.start("near", host.ready.address);
      await using far = await Caller.start("far", proxy.address, workerOptions);
      await target.tell("load", { targets: ["far/x"], concurrency: 8 });
      const loads = [near.load(["far/a", "far/b"], 16), far.load(["far/a", "far/b"], 16)];
      const fromFar = await near.read("from_far");
      const streams = { toFar: near.publish("to_far"), fromFar: far.publish("from_far") };
      await Promise.all([near, far].map(({ ledger }) => ledger.until(({ answered }) => answered >= 200)));

      const before = proxy.counters().connections;
      breakage.break(proxy);
      if (breakage.isFatal) await proxy.accepted(before + 2);
      await Promise.all([near, far].map((caller) => caller.untilAnswered("far/a")));
      const calls = await target.tell("endLoad");
      await Promise.all(loads.map((load) => load.stop()));
      const published = { toFar: await streams.toFar.stop(), fromFar: await streams.fromFar.stop() };
      await untilAccounted({ host, target, far, fromFar, published });
      expect([fromFar.wrong, (await target.tell<WorkerReport>("report")).wrongEvents]).toEqual([[], []]);
      if (!breakage.isFatal) expect(await missingEvents({ target, fromFar, published })).toEqual([0, 0]);

      const flawless = { open: 0, wrong: [], ...(breakage.isFatal ? {} : { failed: {} }) };
      for (const report of [near.ledger.report(), far.ledger.report(), calls]) expect(report).toMatchObject(flawless);
      for (const { runtime } of [near, far]) expect(runtime.pendingCallsCount).toBe(0);
      expect((await target.tell<WorkerReport>("report")).counts).toMatchObject({ unreadableFrames: 0 });
      await untilCounters(host, ({ pendingCalls, channels }) => pendingCalls === 0 && channels === 3);
      fact(breakage.name, JSON.stringify({ near: near.ledger.report().failed, far: far.ledger.report().failed }));
    },
  );

  test("faults by seed, connection after connection: each call has its own outcome", { timeout: 90_000 }, async () => {
    const rounds = 10;
    await using host = await startHostProgram({ channelOptions });
    await using proxy = await startFaultProxy({
      target: host.ready.address,
      randomFaults: { withinBytes: 20_000, maxLastsMs: 100 },
    });
    const config = { address: proxy.address, echoes: ["far"], options: workerOptions };
    await using near = await Caller.start("near", host.ready.address);
    await using target = await startWorkerProgram(config);
    await using far = await Caller.start("far", proxy.address, workerOptions);
    const loads = [near.load(["far/a"], 16), far.load(["far/a", "far/b"], 16)];
    await far.untilAnswered("far/a");
    for (let round = 0; round < rounds; round++) {
      const { connections } = proxy.counters();
      // Most connections break under load, some before they stand; others last until the next round.
      proxy.reseed(round);
      proxy.apply({ kind: "reset" });
      await proxy.accepted(connections + 2);
      await far.untilAnswered("far/a");
    }
    const answered = [near, far].map(({ ledger }) => ledger.report().answered);
    proxy.reseed(undefined);
    proxy.apply({ kind: "reset" });
    await Promise.all([near, far].map((caller) => caller.untilAnswered("far/a")));
    await Promise.all(loads.map((load) => load.stop()));
    for (const { ledger, runtime } of [near, far]) {
      expect(ledger.report()).toMatchObject({ open: 0, wrong: [] });
      expect(runtime.pendingCallsCount).toBe(0);
    }
    expect(Math.min(...answered)).toBeGreaterThan(0);
    expect(target.isRunning).toBe(true);
    expect((await target.tell<WorkerReport>("report")).counts).toMatchObject({ unreadableFrames: 0 });
    await untilCounters(host, ({ pendingCalls }) => pendingCalls === 0);
    fact("faults by seed", JSON.stringify(proxy.counters().faults));
    fact("calls meanwhile", JSON.stringify([near.ledger.report(), far.ledger.report()]));
  });
});
