import { describe, expect, it } from "vitest";
import { encodeFrame, type Frame } from "../../../src/protocol/index.ts";
import { decodeFrame, signals } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { Inbox } from "../../support/inbox.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const named = { isAnnounced: true, metadata: { agcaps: "heartbeat" } };
const question = (seq: number) => ({ kind: "heartbeat", seq, isAnswer: false, leaseMs: 0 }) as const;
const answer = (seq: number) => ({ ...question(seq), isAnswer: true });

describe.each(hostTransports)("a host that hears nothing from a worker, over $name", ({ start }) => {
  it("asks inside the data channel after 15 s; after 30 s more its callers get their error, and others may take its types", async () => {
    const [clock, logger] = [new ManualClock(), new RecordingLogger()];
    await using rig = await start({ clock, logger });
    const silent = await new RawWorker(rig.dial(), "SILENT", named).join();
    await silent.register("a");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "a/k");
    await silent.nextRequest();
    clock.advance(15_000);
    // It has sent its first frames since the timer began.
    clock.advance(15_000);
    expect(await silent.next()).toEqual(question(1));
    clock.advance(29_999);
    await caller.settled();
    expect(rig.host.counters().channels).toBe(2);
    clock.advance(1);
    expect(await caller.nextResponse()).toMatchObject({
      requestId: "1",
      error: expect.stringContaining("disconnected"),
    });
    expect(await silent.ended).not.toMatchObject({ status: { code: 0 } });
    await caller.register("a");
    const lines = logger.lines.filter(({ text }) => text.includes("no sign of life"));
    expect(lines).toMatchObject([{ level: "warn", fields: { clientId: "SILENT", heartbeatTimeoutMs: 30_000 } }]);
  });

  it("keeps one that answers each question, and counts none", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock });
    const worker = await new RawWorker(rig.dial(), "W", named).join();
    const other = await new RawWorker(rig.dial(), "O").join();
    const before = rig.host.counters();
    clock.advance(15_000);
    for (let seq = 1; seq <= 5; seq += 1) {
      clock.advance(15_000);
      expect(await worker.next()).toEqual(question(seq));
      worker.send(answer(seq));
      await worker.stream.flushed();
      await other.subscriptions();
      clock.advance(30_000);
    }
    expect(rig.host.counters()).toEqual(before);
  });

  it("keeps one that holds its data channel back and answers on its side stream", async () => {
    const clock = new ManualClock();
    await using rig = await start({ clock });
    const worker = await new RawWorker(rig.dial(), "W", named).join();
    const other = await new RawWorker(rig.dial(), "O").join();
    worker.stream.pause();
    const got = new Inbox<Frame>();
    const opened = new Inbox<unknown>();
    const side = worker.link.openStream(
      signals.path,
      {
        onMetadata: (metadata) => opened.put(metadata),
        onFrame: (bytes) => got.put(decodeFrame(bytes)),
        ...{ onHalfClose: () => {}, onBadFrame: () => {}, onDrain: () => {}, onEnd: () => {} },
      },
      { metadata: { "client-id": "W" } },
    );
    await opened.take();
    clock.advance(15_000);
    for (let seq = 1; seq <= 5; seq += 1) {
      clock.advance(15_000);
      expect(await got.take()).toEqual(question(seq));
      side.send(encodeFrame(answer(seq)));
      await side.flushed();
      await other.subscriptions();
      clock.advance(30_000);
    }
    expect(rig.host.counters().channels).toBe(2);
  });

  it.each([
    ["a worker that does not name heartbeats", { isAnnounced: true }, {}],
    ["a stock worker", { metadata: { agcaps: "heartbeat" } }, {}],
    ["any worker with heartbeatMs 0", named, { heartbeatMs: 0 }],
    ["any worker with heartbeatTimeoutMs 0", named, { heartbeatTimeoutMs: 0 }],
    ["any worker with heartbeatTimeoutMs Infinity", named, { heartbeatTimeoutMs: Number.POSITIVE_INFINITY }],
  ])("never asks %s", async (_who, worker, options) => {
    const clock = new ManualClock();
    await using rig = await start({ clock, ...options });
    const quiet = await new RawWorker(rig.dial(), "W", worker).join();
    for (let minutes = 0; minutes < 10; minutes += 1) clock.advance(60_000);
    expect(await quiet.settled()).toEqual([]);
  });
});
