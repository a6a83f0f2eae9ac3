import { describe, expect, it } from "vitest";
import type { HostOccurrence } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import { emptyMessage, method, signals } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { asking } from "../../support/asking.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { openSide } from "../../support/open-side.ts";
import { RawControl } from "../../support/raw-control.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const alice = { name: "alice", roles: ["worker"] };

describe.each(hostTransports)("an authorize that takes its time, over $name", ({ start }) => {
  it("holds a channel's frames and lets them go in order once the worker is admitted", async () => {
    const { authorize, asked, answer } = asking();
    await using rig = await start({ authorize });
    const worker = new RawWorker(rig.dial(), "W").open();
    const ids = Array.from({ length: 200 }, (_, index) => `${index}`);
    for (const id of ids) worker.request(id, "nobody/k");
    await asked(method.openChannel);
    expect(rig.host.counters()).toMatchObject({ channels: 0, calls: 0 });
    answer(method.openChannel, alice);
    for (const id of ids) expect((await worker.nextResponse()).requestId).toBe(id);
    expect(rig.host.counters()).toMatchObject({ channels: 1, calls: ids.length });
  });

  it("refuses a channel and takes none of the frames that waited", async () => {
    const { authorize, asked, answer } = asking();
    await using rig = await start({ authorize });
    const worker = new RawWorker(rig.dial(), "W").open();
    worker.request("1", "nobody/k");
    await asked(method.openChannel);
    const status = { code: StatusCode.unauthenticated, details: "Who are you?" };
    answer(method.openChannel, status);
    expect(await worker.ended).toEqual({ by: "status", origin: "peer", status });
    expect(rig.host.counters()).toMatchObject({ channels: 0, calls: 0, deniedCalls: 1 });
  });

  it("leaves what a channel sends with its worker until the worker is admitted, the first frame too", async () => {
    const { authorize, asked, answer } = asking();
    await using rig = await start({ authorize });
    const worker = new RawWorker(rig.dial(), "W").open();
    // More than the host would hold for a stream, in one frame.
    const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array(2 * limits.admissionBytes) };
    worker.send({
      kind: "event",
      event: { id: "E", topicType: "t", topicSource: "s", sender: undefined, payload, attributes: {} },
    });
    worker.request("1", "nobody/k");
    await asked(method.openChannel);
    answer(method.openChannel, alice);
    expect((await worker.nextResponse()).requestId).toBe("1");
    expect(rig.host.counters()).toMatchObject({ channels: 1, events: 1 });
  });

  it("gives its place back when a channel with frames on their way hangs up", async () => {
    const clock = new ManualClock();
    const { authorize, asked } = asking();
    await using rig = await start({ authorize, clock });
    const worker = new RawWorker(rig.dial(), "W").open();
    worker.request("1", "nobody/k");
    worker.request("2", "nobody/k");
    await asked(method.openChannel);
    worker.stream.cancel();
    await worker.ended;
    while (clock.pendingTimers > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("forgets a channel that hangs up first; its late answer opens nothing", async () => {
    const occurrences: HostOccurrence[] = [];
    const clock = new ManualClock();
    const { authorize, asked, answer } = asking();
    await using rig = await start({ authorize, clock, observer: (what) => occurrences.push(what) });
    const worker = new RawWorker(rig.dial(), "W").open();
    await asked(method.openChannel);
    worker.stream.cancel();
    await worker.ended;
    // The host hears of it a little later than the worker; the timer of the wait goes with the wait.
    while (clock.pendingTimers > 0) await new Promise((resolve) => setImmediate(resolve));
    answer(method.openChannel, alice);
    await new Promise((resolve) => setImmediate(resolve));
    expect(rig.host.counters()).toMatchObject({ channels: 0 });
    expect(occurrences).toEqual([]);
  });

  it("refuses after 30 s what it has not answered", async () => {
    const clock = new ManualClock();
    const { authorize, asked, answer } = asking();
    await using rig = await start({ authorize, clock });
    const link = rig.dial();
    const unary = link.unary(method.getSubscriptions, emptyMessage, { metadata: { "client-id": "W" } });
    const refused = expect(unary).rejects.toMatchObject({ code: StatusCode.unavailable });
    const worker = new RawWorker(link, "W").open();
    await Promise.all([asked(method.getSubscriptions), asked(method.openChannel)]);
    clock.advance(30_000);
    await refused;
    expect(await worker.ended).toMatchObject({ status: { code: StatusCode.unavailable } });
    answer(method.openChannel, alice);
    expect(clock.pendingTimers).toBe(0);
  });

  it("lets nothing that waits for it hold up the end of the host", async () => {
    const { authorize, asked } = asking();
    await using rig = await start({ authorize });
    const worker = new RawWorker(rig.dial(), "W").open();
    await asked(method.openChannel);
    await rig.host.stop({ graceMs: 60_000 });
    expect(await worker.ended).toMatchObject({
      status: { code: StatusCode.unavailable, details: "Host is shutting down." },
    });
  });

  it.each([
    ["rejects", () => Promise.reject(new Error("no database"))],
    ["answers with something else", () => true],
    ["answers with a status without a text", () => ({ code: 16 })],
    ["answers with a status that has a name but no text", () => ({ code: 16, name: "alice" })],
    ["answers with an Error instead of throwing it", () => new Error("no database")],
    ["answers with an empty name", () => ({ name: "" })],
  ])("refuses when it %s, and says so in the log", async (_what, makeValue) => {
    const logger = new RecordingLogger();
    const { authorize, asked, answer } = asking();
    await using rig = await start({ authorize, logger });
    const worker = new RawWorker(rig.dial(), "W").open();
    await asked(method.openChannel);
    answer(method.openChannel, makeValue());
    expect(await worker.ended).toMatchObject({ status: { code: StatusCode.permissionDenied } });
    expect(logger.texts("error")).toEqual(["the authorize option failed; the call is refused"]);
  });

  it.each([
    ["an RpcError that it returns", () => new RpcError(StatusCode.unauthenticated, "no"), StatusCode.unauthenticated],
    ["a status that has a name", () => ({ code: 16, details: "no", name: "alice" }), StatusCode.unauthenticated],
    ["status OK", () => ({ code: 0, details: "no" }), StatusCode.permissionDenied],
    ["a status that gRPC does not know", () => ({ code: 99, details: "no" }), StatusCode.permissionDenied],
  ])("refuses a worker with %s, at once or later", async (_what, makeValue, code) => {
    for (const isLate of [false, true]) {
      // JavaScript's users can return anything.
      const authorize = () => (isLate ? Promise.resolve(makeValue()) : makeValue()) as never;
      await using rig = await start({ authorize });
      await expect(new RawWorker(rig.dial(), "W").register("a")).rejects.toMatchObject({ code, message: "no" });
      expect(rig.host.counters()).toMatchObject({ agentTypes: 0, deniedCalls: 1 });
    }
  });

  it("makes a side stream wait for the data channel that it belongs to", async () => {
    const { authorize, asked, answer } = asking();
    const opened: string[] = [];
    let onOpened: () => void = () => {};
    const bothOpened = new Promise<void>((resolve) => {
      onOpened = resolve;
    });
    await using rig = await start({
      authorize,
      observer: (what) => {
        if (what.at !== "session") return;
        opened.push(what.channel);
        if (opened.length === 2) onOpened();
      },
    });
    const link = rig.dial();
    new RawWorker(link, "W", { isAnnounced: true }).open();
    const side = openSide(link, "W");
    await Promise.all([asked(method.openChannel), asked(signals.method)]);
    answer(signals.method, alice);
    answer(method.openChannel, alice);
    await bothOpened;
    expect(opened).toEqual(["data", "side"]);
    side.stream.cancel();
  });
});

describe.each(hostTransports)("a worker that comes again while authorize thinks, over $name", ({ start }) => {
  it("keeps its newer control channel, whichever is admitted first; the older one is refused", async () => {
    const answers: ((answer: typeof alice) => void)[] = [];
    let onAsked: () => void = () => {};
    const authorize = () =>
      new Promise<typeof alice>((resolve) => {
        answers.push(resolve);
        onAsked();
      });
    const asked = () =>
      new Promise<void>((resolve) => {
        onAsked = resolve;
      });
    await using rig = await start({ authorize });
    const firstAsked = asked();
    const older = new RawControl(rig.dial(), "W");
    await firstAsked;
    const secondAsked = asked();
    const newer = new RawControl(rig.dial(), "W");
    await secondAsked;
    answers[1]?.(alice);
    await newer.settled();
    answers[0]?.(alice);
    expect(await older.ended).toMatchObject({ status: { code: StatusCode.aborted } });
    expect(await newer.settled()).toEqual([]);
  });

  it("keeps its newer channel, whichever is admitted first; the older one is refused", async () => {
    const answers: ((answer: typeof alice) => void)[] = [];
    let onAsked: () => void = () => {};
    const authorize = () =>
      new Promise<typeof alice>((resolve) => {
        answers.push(resolve);
        onAsked();
      });
    const asked = () =>
      new Promise<void>((resolve) => {
        onAsked = resolve;
      });
    let onOpened: () => void = () => {};
    const opened = new Promise<void>((resolve) => {
      onOpened = resolve;
    });
    await using rig = await start({ authorize, observer: () => onOpened() });
    const firstAsked = asked();
    const older = new RawWorker(rig.dial(), "W").open();
    await firstAsked;
    const secondAsked = asked();
    new RawWorker(rig.dial(), "W").open();
    await secondAsked;
    answers[1]?.({ ...alice, roles: ["newer"] });
    await opened;
    answers[0]?.({ ...alice, roles: ["older"] });
    expect(await older.ended).toMatchObject({ status: { code: StatusCode.aborted } });
    expect((await rig.host.inspect()).sessions).toMatchObject([
      { clientId: "W", principal: { name: "alice", roles: ["newer"] } },
    ]);
    expect(rig.host.counters()).toMatchObject({ replacedChannels: 0 });
  });
});

describe.each(hostTransports)("a principal, over $name", ({ start }) => {
  it("belongs to a stream as long as it lives, whatever authorize says later", async () => {
    let roles = ["worker"];
    await using rig = await start({ authorize: () => ({ name: "alice", roles }) });
    const worker = await new RawWorker(rig.dial(), "W").join();
    roles = [];
    await worker.register("a");
    await worker.settled();
    expect((await rig.host.inspect()).sessions).toMatchObject([{ clientId: "W", principal: alice }]);
  });

  it("keeps others off the side stream of its worker", async () => {
    let name = "alice";
    await using rig = await start({ authorize: () => ({ name }) });
    const link = rig.dial();
    await new RawWorker(link, "W", { isAnnounced: true }).join();
    name = "bob";
    expect(await openSide(link, "W").ended).toMatchObject({ status: { code: StatusCode.permissionDenied } });
  });
});
