import { describe, expect, it } from "vitest";
import { decodeFrame, encodeFrame, type Frame } from "../../../src/protocol/index.ts";
import { decodeControlHeartbeat, encodeControlHeartbeat, signals } from "../../../src/protocol/internal.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { Inbox } from "../../support/inbox.ts";
import { RawControl } from "../../support/raw-control.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const ask = (seq: number) => ({ kind: "heartbeat", seq, isAnswer: false, leaseMs: 0 }) as const;
const answer = (seq: number) => ({ kind: "heartbeat", seq, isAnswer: true, leaseMs: 0 }) as const;
const named = { isAnnounced: true, metadata: { agcaps: "fly,heartbeat" } };

describe.each(hostTransports)("heartbeats at the host over $name", ({ start }) => {
  it("are answered on the data channel, and counted nowhere", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W", named).join();
    expect(await worker.responseMetadata()).toMatchObject({
      agtroupe: "1",
      agcaps: "heartbeat,turns,states,claims,mail,streams,runs",
    });
    const before = rig.host.counters();
    worker.send(ask(7));
    expect(await worker.next()).toEqual(answer(7));
    expect(rig.host.counters()).toEqual(before);
  });

  it("are answered on the side stream and on the control channel, each in its own", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W", named).join();
    const got = new Inbox<Frame>();
    const side = worker.link.openStream(
      signals.path,
      {
        onFrame: (bytes) => got.put(decodeFrame(bytes)),
        ...{ onHalfClose: () => {}, onBadFrame: () => {}, onDrain: () => {}, onEnd: () => {} },
      },
      { metadata: { "client-id": "W" } },
    );
    side.send(encodeFrame(ask(8)));
    expect(await got.take()).toEqual(answer(8));
    const control = await RawControl.open(worker.link, "W");
    const before = rig.host.counters();
    control.stream.send(encodeControlHeartbeat(ask(9)));
    expect(decodeControlHeartbeat(await control.nextBytes())).toEqual(answer(9));
    expect(rig.host.counters()).toEqual(before);
  });

  it.each([
    ["a worker that does not name them", { isAnnounced: true }],
    ["a worker that is not announced", { metadata: { agcaps: "heartbeat" } }],
  ])("of %s get no answer", async (_who, options) => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W", options).join();
    worker.send(ask(7));
    worker.request("1", "nobody/k");
    expect((await worker.next()).kind).toBe("response");
    expect(rig.host.counters().emptyFrames).toBe(1);
  });

  it("and their word are kept from a worker that is not announced", async () => {
    await using rig = await start();
    const stock = await new RawWorker(rig.dial(), "S", { metadata: { agcaps: "heartbeat" } }).join();
    const headers = await stock.responseMetadata();
    expect(headers).not.toHaveProperty("agcaps");
    expect(headers).not.toHaveProperty("agtroupe");
  });

  it.each([0, Number.POSITIVE_INFINITY])("are off with heartbeatMs %d", async (heartbeatMs) => {
    await using rig = await start({ heartbeatMs });
    const worker = await new RawWorker(rig.dial(), "W", named).join();
    expect((await worker.responseMetadata()).agcaps).toBe("turns,states,claims,mail,streams,runs");
    worker.send(ask(7));
    worker.request("1", "nobody/k");
    expect((await worker.next()).kind).toBe("response");
  });

  it("without end fill no queue: the host answers as many as fit, and its worker is not cut off", async () => {
    await using rig = await start({ maxQueuedFrames: 10, whenFull: "disconnect" });
    const worker = await new RawWorker(rig.dial(), "W", named).join();
    const other = await new RawWorker(rig.dial(), "O").join();
    worker.stream.pause();
    for (let seq = 1; seq <= 3_000; seq += 1) worker.send(ask(seq));
    await worker.stream.flushed();
    await other.subscriptions();
    expect(rig.host.counters()).toMatchObject({ overflowedChannels: 0, lostNotices: 0, channels: 2 });
    expect(rig.host.counters().queuedFrames).toBeLessThanOrEqual(10);
    worker.stream.resume();
  });
});
