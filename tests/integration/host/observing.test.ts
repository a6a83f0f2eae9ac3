import { describe, expect, it } from "vitest";
import type { HostObserver, HostOccurrence } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import { refusalKey, signals } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { RawControl } from "../../support/raw-control.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** Keeps occurrences, and lets a test wait for one. */
class Record {
  readonly all: HostOccurrence[] = [];
  #onNew: () => void = () => {};
  readonly observe: HostObserver = (what) => {
    this.all.push(what);
    this.#onNew();
  };

  async until(part: object): Promise<HostOccurrence> {
    for (;;) {
      const found = this.all.find((what) =>
        Object.entries(part).every(([name, value]) => Reflect.get(what, name) === value),
      );
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#onNew = resolve;
      });
    }
  }

  of<At extends HostOccurrence["at"]>(at: At): HostOccurrence[] {
    return this.all.filter((what) => what.at === at);
  }
}

describe.each(hostTransports)("an observer of a host over $name", ({ start }) => {
  it("sees a worker join, serve and leave, with its address, principal, types and the reason", async () => {
    const record = new Record();
    const principal = { name: "alice" };
    await using rig = await start({ observer: record.observe, authorize: () => principal });
    const worker = await new RawWorker(rig.dial("tea/1"), "W", { isAnnounced: true }).join();
    await worker.register("a");
    await worker.subscribe("S", exact("t", "a"));
    await worker.unsubscribe("S");
    worker.stream.end();
    await record.until({ what: "closed" });
    const userAgent = expect.stringContaining("tea/1");
    const owner = { channel: "data", clientId: "W", address: expect.any(String), principal };
    expect(record.all.filter(({ at }) => at !== "call")).toEqual([
      { at: "session", what: "opened", ...owner, workerId: "W", isAnnounced: true, userAgent },
      { at: "registration", what: "type", clientId: "W", agentType: "a" },
      { at: "registration", what: "subscribed", clientId: "W", agentType: "a", subscriptionId: "S" },
      { at: "registration", what: "unsubscribed", clientId: "W", agentType: undefined, subscriptionId: "S" },
      {
        ...{ at: "session", what: "closed", ...owner, reason: "left", detail: "" },
        ...{ types: ["a"], typeCount: 1, droppedEvents: 0, refusedCalls: 0 },
      },
    ]);
  });

  it("finds a worker that has just joined in sessions()", async () => {
    const found: string[][] = [];
    await using rig = await start({
      observer: (what) => {
        if (what.at === "session") found.push(rig.host.sessions().map(({ clientId }) => clientId));
      },
    });
    await new RawWorker(rig.dial(), "W").join();
    expect(found).toEqual([["W"]]);
  });

  it("sees why a worker's channel ended", async () => {
    const record = new Record();
    await using rig = await start({ observer: record.observe });
    const first = await new RawWorker(rig.dial(), "W").join();
    const second = await new RawWorker(rig.dial(), "W").join();
    await record.until({ what: "closed", reason: "replaced" });
    second.stream.cancel();
    await record.until({ what: "closed", reason: "reset" });
    const link = rig.dial();
    await new RawWorker(link, "L").join();
    await link.close();
    await record.until({ what: "closed", clientId: "L" });
    await new RawWorker(rig.dial(), "S").join();
    await rig.host.stop({ graceMs: 1_000 });
    await record.until({ what: "closed", reason: "stopping" });
    await first.ended;
  });

  it("sees a control channel open and close, with its owner and the reason", async () => {
    const record = new Record();
    const principal = { name: "alice" };
    await using rig = await start({ observer: record.observe, authorize: () => principal });
    const control = await RawControl.open(rig.dial("tea/1"), "W");
    control.stream.cancel();
    await record.until({ what: "closed" });
    const owner = { at: "session", channel: "control", clientId: "W", address: expect.any(String), principal };
    expect(record.of("session")).toEqual([
      { ...owner, what: "opened", isAnnounced: false, userAgent: expect.stringContaining("tea/1") },
      {
        ...{ ...owner, what: "closed", reason: "reset", detail: "" },
        ...{ types: [], typeCount: 0, droppedEvents: 0, refusedCalls: 0 },
      },
    ]);
  });

  it("sees why the host ended a side stream", async () => {
    const record = new Record();
    await using rig = await start({ observer: record.observe });
    const link = rig.dial();
    await new RawWorker(link, "W", { isAnnounced: true }).join();
    const receiver = {
      onFrame: () => {},
      onHalfClose: () => {},
      onBadFrame: () => {},
      onDrain: () => {},
      onEnd: () => {},
    };
    const openSide = () => link.openStream(signals.path, receiver, { metadata: { "client-id": "W" } });
    openSide();
    await record.until({ what: "opened", channel: "side" });
    openSide();
    await record.until({ what: "closed", channel: "side", reason: "replaced" });
    await rig.host.stop({ graceMs: 1_000 });
    await record.until({ what: "closed", channel: "side", reason: "stopping" });
  });

  it("gets values of a refused registration cut to the length that the host keeps", async () => {
    const record = new Record();
    await using rig = await start({ observer: record.observe });
    const worker = await new RawWorker(rig.dial(), "W").join();
    await expect(worker.register("é".repeat(100_000))).rejects.toThrow();
    await expect(worker.subscribe("S".repeat(100_000), exact("t", "a".repeat(100_000)))).rejects.toThrow();
    const [type, subscription] = record.of("registration");
    expect(type).toMatchObject({ what: "refused", agentType: "é".repeat(limits.nameChars) });
    expect(subscription).toMatchObject({
      what: "refused",
      agentType: "a".repeat(limits.nameChars),
      subscriptionId: "S".repeat(limits.nameChars),
    });
    for (const what of [type, subscription]) {
      const reason = what?.at === "registration" && what.what === "refused" ? what.reason : "";
      expect(reason.length).toBeGreaterThan(0);
      expect(reason.length).toBeLessThanOrEqual(limits.nameChars);
    }
  });

  it("sees the outcome of each call, and how long it took", async () => {
    const record = new Record();
    const clock = new ManualClock();
    await using rig = await start({ observer: record.observe, clock, callTimeoutMs: 500 });
    const target = await new RawWorker(rig.dial(), "T").join();
    await target.register("a");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    record.all.length = 0;
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    caller.request("1", "a/k", { metadata: { traceparent } });
    const { requestId } = await target.nextRequest();
    clock.advance(20);
    target.respond(requestId, "fine");
    await caller.nextResponse();
    caller.request("2", "a/k");
    await target.nextRequest();
    clock.advance(500);
    await caller.nextResponse();
    caller.request("3", "a/k");
    await target.nextRequest();
    caller.send({ kind: "cancel", requestId: "3", reason: "cancelled" });
    caller.request("4", "nobody/k");
    await caller.nextResponse();
    const known = { at: "call", callerId: "C", targetId: "T", targetType: "a", targetKey: "k", traceId: undefined };
    const nowhere = { targetId: undefined, targetType: "nobody", targetKey: "" };
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    expect(record.of("call")).toEqual([
      { ...known, outcome: "answered", code: undefined, ms: 20, traceId },
      { ...known, outcome: "failed", code: "timed-out", ms: 500 },
      { ...known, outcome: "abandoned", code: "cancelled", ms: 0 },
      { ...known, ...nowhere, outcome: "failed", code: "undeliverable", ms: 0 },
    ]);
  });

  it("sees where an event went", async () => {
    const record = new Record();
    await using rig = await start({ observer: record.observe });
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    await worker.subscribe("S", exact("t", "a"));
    const ahead = new RawWorker(rig.dial(), "A");
    await ahead.register("b");
    await ahead.subscribe("S2", exact("t", "b"));
    worker.publish("t");
    worker.publish("nowhere");
    await worker.settled();
    expect(record.of("event")).toEqual([
      { at: "event", topicType: "t", delivered: 1, missed: 1 },
      { at: "event", topicType: "nowhere", delivered: 0, missed: 0 },
    ]);
  });

  it("sees what the host refuses: who is denied, what is taken, which bound is reached", async () => {
    const record = new Record();
    const clock = new ManualClock();
    await using rig = await start({
      ...{ observer: record.observe, clock, maxSessions: 1, maxTypesPerClient: 1, registrationOrphanMs: 100 },
      authorize: ({ metadata }) =>
        metadata["client-id"] === "X" ? { code: StatusCode.permissionDenied, details: "not you" } : undefined,
    });
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    await expect(worker.register("b")).rejects.toThrow();
    await expect(new RawWorker(rig.dial(), "X").register("c")).rejects.toThrow();
    await new RawWorker(rig.dial(), "Y").open().ended;
    expect(record.all).toContainEqual({
      ...{ at: "denied", method: "RegisterAgent", clientId: "X", address: expect.any(String) },
      ...{ code: StatusCode.permissionDenied, reason: "not you", principal: undefined },
    });
    expect(record.of("limited")).toMatchObject([
      { what: "registrations", clientId: "W" },
      { what: "sessions", clientId: "Y" },
    ]);
    expect(record.of("registration").at(-1)).toMatchObject({ what: "refused", clientId: "W", agentType: "b" });
    expect(rig.host.counters()).toMatchObject({ deniedCalls: 1, refusedByLimit: 2 });
  });

  it("sees a client that registers and never comes", async () => {
    const record = new Record();
    const clock = new ManualClock();
    await using rig = await start({ observer: record.observe, clock, registrationOrphanMs: 100 });
    await new RawWorker(rig.dial(), "W").register("a");
    clock.advance(100);
    expect(record.all.at(-1)).toEqual({ at: "registration", what: "expired", clientId: "W" });
  });

  it.each([
    [
      "throws",
      () => () => {
        throw new Error("no disk");
      },
    ],
    [
      "rejects",
      () => async () => {
        throw new Error("no disk");
      },
    ],
    [
      "returns an object like a promise that rejects",
      () => () => ({
        // biome-ignore lint/suspicious/noThenProperty: it is what the test is about.
        then: (onValue: undefined, onError: (error: Error) => void) =>
          Promise.reject(new Error("no disk")).then(onValue, onError),
      }),
    ],
  ] satisfies readonly (readonly [string, () => HostObserver])[])(
    "that %s disturbs nothing, and is logged once in a while",
    async (_what, makeObserver) => {
      const logger = new RecordingLogger();
      await using rig = await start({ observer: makeObserver(), logger });
      const worker = await new RawWorker(rig.dial(), "W").join();
      for (const id of ["1", "2", "3"]) {
        worker.request(id, "nobody/k");
        await worker.nextResponse();
      }
      expect(logger.lines.filter(({ level }) => level === "error")).toEqual([
        { level: "error", text: "the observer option failed; the host goes on", fields: { error: "no disk" } },
      ]);
    },
  );
});

describe.each(hostTransports)("a refused registration over $name", ({ start }) => {
  it("names the holder and its address to an announced worker, and to no other", async () => {
    await using rig = await start();
    const holder = await new RawWorker(rig.dial(), "H").join();
    await holder.register("a");
    const announced = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    const stock = await new RawWorker(rig.dial(), "P").join();
    const details = "Agent type a already registered with client H.";
    const metadata = { [refusalKey.holder]: "H", [refusalKey.holderAddress]: expect.any(String) };
    expect(await statusOf(announced.register("a"))).toEqual({ code: StatusCode.invalidArgument, details, metadata });
    expect(await statusOf(stock.register("a"))).toEqual({ code: StatusCode.invalidArgument, details });
  });

  it("names a holder without an address before its channel is open", async () => {
    await using rig = await start();
    await new RawWorker(rig.dial(), "H").register("a");
    const announced = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    expect((await statusOf(announced.register("a")))?.metadata).toEqual({ [refusalKey.holder]: "H" });
  });
});

describe.each(hostTransports)("the log of a host over $name", ({ start }) => {
  it("says who joins, serves, is refused and leaves, with values that are safe to print", async () => {
    const logger = new RecordingLogger();
    const record = new Record();
    const evil = `a${"b".repeat(limits.nameChars)}`;
    await using rig = await start({ logger, observer: record.observe });
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    const other = await new RawWorker(rig.dial(), "V").join();
    await expect(other.register("a")).rejects.toThrow();
    await expect(other.register(evil)).rejects.toThrow();
    await expect(other.register("x\nwarn forged")).rejects.toThrow();
    worker.stream.end();
    await record.until({ what: "closed" });
    const lines = logger.lines.filter(({ level }) => level === "info");
    expect(lines.map(({ text }) => text)).toEqual([
      "a worker has joined",
      "a worker serves an agent type",
      "a worker has joined",
      ...Array.from({ length: 3 }, () => "a registration is refused"),
      "a worker has left",
    ]);
    expect(lines[0]?.fields).toMatchObject({ clientId: "W", workerId: "W" });
    expect(lines[3]?.fields).toMatchObject({ clientId: "V", agentType: "a", holder: "W" });
    expect(lines[4]?.fields?.agentType).toBe(`${evil.slice(0, 200)}…`);
    expect(lines[5]?.fields?.agentType).toBe("x\\u000awarn forged");
    expect(lines[6]?.fields).toMatchObject({
      clientId: "W",
      address: expect.any(String),
      reason: "left",
      types: ["a"],
    });
  });
});

describe.each(hostTransports)("the log of a host that refuses a type again and again, over $name", ({ start }) => {
  it("says it once, then once a minute with how often, and at once for another client, type or reason", async () => {
    const logger = new RecordingLogger();
    const clock = new ManualClock();
    const record = new Record();
    await using rig = await start({ logger, clock, observer: record.observe });
    const holder = await new RawWorker(rig.dial(), "H").join();
    await holder.register("a");
    await holder.register("b");
    const waiting = await new RawWorker(rig.dial(), "W").join();
    const refused = async (agentType: string, worker = waiting) => {
      await expect(worker.register(agentType)).rejects.toThrow();
    };
    const lines = () => logger.lines.filter(({ text }) => text === "a registration is refused");
    for (let count = 0; count < 8; count += 1) await refused("a");
    expect(lines()).toHaveLength(1);
    expect(lines()[0]?.fields).not.toHaveProperty("repeated");
    await refused("b");
    await refused("a", await new RawWorker(rig.dial(), "V").join());
    expect(lines()).toHaveLength(3);
    clock.advance(60_000);
    await refused("a");
    await refused("a");
    expect(lines()).toHaveLength(4);
    expect(lines()[3]?.fields).toMatchObject({ clientId: "W", agentType: "a", holder: "H", repeated: 7 });
    // Observers get each of them.
    expect(record.of("registration").filter((what) => Reflect.get(what, "what") === "refused")).toHaveLength(12);
    holder.stream.end();
    await waiting.takeOver("a");
    await record.until({ what: "type", clientId: "W" });
    const next = await new RawWorker(rig.dial(), "H2").join();
    const before = lines().length;
    await refused("a", next);
    expect(lines()).toHaveLength(before + 1);
  });
});

describe.each(hostTransports)("inspect of a host over $name", ({ start }) => {
  it("shows each worker with its types, queues and calls, the owners of types, and totals", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("a");
    await target.subscribe("S", exact("t", "a"));
    const caller = await new RawWorker(rig.dial("grpc-python/1"), "C").join();
    caller.request("1", "a/k");
    await target.nextRequest();
    const { sessions, types, isCut, totals } = await rig.host.inspect();
    expect(sessions).toMatchObject([
      { clientId: "T", isAnnounced: true, types: ["a"], typeCount: 1, subscriptionCount: 1, incomingCalls: 1 },
      { clientId: "C", isAnnounced: false, maxFrameBytes: 4 * 1024 * 1024, types: [], outgoingCalls: 1 },
    ]);
    expect(types).toEqual([{ agentType: "a", owners: ["T"] }]);
    expect(isCut).toBe(false);
    expect(totals).toMatchObject({ channels: 2, pendingCalls: 1, agentTypes: 1 });
    expect(await rig.host.inspect({ maxSessions: 1, maxTypes: 0 })).toMatchObject({
      ...{ sessions: [{ clientId: "T" }], types: [], isCut: true },
    });
    await expect(rig.host.inspect({ maxSessions: -1 })).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(rig.host.inspect({ signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
  });
});

async function statusOf(refused: Promise<unknown>) {
  try {
    await refused;
    return undefined;
  } catch (error) {
    if (error instanceof RpcError) return error.status;
    throw error;
  }
}
