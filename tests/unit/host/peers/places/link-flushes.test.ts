import { describe, expect, it } from "vitest";
import { LinkQueue } from "../../../../../src/host/peers/links/link-queue.ts";
import { LinkFlushes } from "../../../../../src/host/peers/places/link-flushes.ts";
import type { CallLink } from "../../../../../src/host/peers/worker-elsewhere.ts";
import { encodePeerFrame } from "../../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { createUncountedAccount, type FrameStream } from "../../../../../src/transport/internal.ts";

/** A link whose other end reads nothing until `read` is called. */
function openLink() {
  const waiting: Uint8Array[] = [];
  const stream = {
    get queuedFrames() {
      return waiting.length;
    },
    get queuedBytes() {
      return waiting.reduce((sum, { length }) => sum + length, 0);
    },
    ...{ unsentFrames: 0, unconfirmedFrames: 0, send: (frame: Uint8Array) => waiting.push(frame) > 0 },
  } as unknown as FrameStream;
  const account = createUncountedAccount();
  let overflows = 0;
  const onOverflow = (): void => {
    overflows += 1;
  };
  const bounds = { maxQueuedBytes: 100_000, maxQueuedFrames: 300 };
  const queue = new LinkQueue({ stream, bounds, account, onOverflow });
  const link: CallLink = {
    ...{
      hostId: "h2",
      isOpen: true,
      passesChunks: true,
      account,
      sendNotice: () => "queued",
      sendEvent: () => "queued",
    },
    sendCall: () => "queued",
    sendFlush: (flush, party) => queue.send(encodePeerFrame(flush), party === undefined ? "notice" : "call", party),
  };
  const clock = new ManualClock();
  const flushes = new LinkFlushes(clock);
  let done = 0;
  const begin = (key: string, party: string | undefined): void =>
    flushes.begin(link, { slot: 1, agentType: "room", key }, party, () => {
      done += 1;
    });
  return { clock, flushes, link, waiting, begin, done: () => done, overflows: () => overflows };
}

describe("flushes of the messages for agents", () => {
  it("of one address never cut the link, leave space for those of another, and leave when there is space", () => {
    const { clock, flushes, link, waiting, begin, done, overflows } = openLink();
    for (let at = 0; at < 1_000; at += 1) begin(`k-${at}`, "greedy");
    expect(overflows()).toBe(0);
    const ofGreedy = waiting.length;
    expect(ofGreedy).toBeLessThan(300);
    begin("own", "modest");
    expect([waiting.length, done()]).toEqual([ofGreedy + 1, 0]);
    let sent = 0;
    while (waiting.length > 0) {
      sent += waiting.splice(0).length;
      clock.advance(100);
    }
    expect(sent).toBe(1_001);
    for (let number = 1; number <= 1_001; number += 1) flushes.done(link, number);
    expect([done(), flushes.size, clock.pendingTimers]).toEqual([1_001, 0, 0]);
  });

  it("that have not left are over when the link ends", () => {
    const { clock, flushes, link, begin, done } = openLink();
    for (let at = 0; at < 1_000; at += 1) begin(`k-${at}`, "greedy");
    flushes.linkEnded(link);
    expect([done(), flushes.size, clock.pendingTimers]).toEqual([1_000, 0, 0]);
  });
});
