import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SentFrames } from "../../../../src/transport/calls/sent-frames.ts";

const runs = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 900 })), { maxLength: 30 });

/** Notes runs of events and others; tells all of them one by one. */
function sendAll(sent: SentFrames, all: readonly (readonly [boolean, number])[], queued: number, unconfirmed: number) {
  const frames: boolean[] = [];
  for (const [isEvent, count] of all) {
    for (let frame = 0; frame < count; frame += 1) {
      frames.push(isEvent);
      const queuedFrames = Math.min(frames.length, queued);
      sent.note(isEvent, { queuedFrames, unconfirmedFrames: Math.min(frames.length - queuedFrames, unconfirmed) });
    }
  }
  return frames;
}

describe("the record of sent frames", () => {
  it("counts the events among unsent frames, whatever was sent before", () => {
    fc.assert(
      fc.property(runs, fc.nat({ max: 3_000 }), (all, queued) => {
        const sent = new SentFrames();
        const frames = sendAll(sent, all, queued, 0);
        const unsent = Math.min(frames.length, queued);
        expect(sent.eventsAmongLast(unsent)).toBe(frames.slice(frames.length - unsent).filter(Boolean).length);
      }),
    );
  });

  it("never underestimates the events that may be lost, and never exceeds the number of frames", () => {
    fc.assert(
      fc.property(runs, fc.nat({ max: 1_500 }), fc.nat({ max: 9_000 }), (all, queued, unconfirmed) => {
        const sent = new SentFrames();
        const frames = sendAll(sent, all, queued, unconfirmed);
        const last = Math.min(frames.length, queued + unconfirmed);
        const told = sent.eventsAmongLast(last);
        expect(told).toBeGreaterThanOrEqual(frames.slice(frames.length - last).filter(Boolean).length);
        expect(told).toBeLessThanOrEqual(Math.min(last, frames.filter(Boolean).length));
      }),
    );
  });

  it("stays exact to one batch of frames over millions of unconfirmed ones", () => {
    const sent = new SentFrames();
    for (let frame = 1; frame <= 3_000_000; frame += 1) {
      sent.note(frame % 2 === 0, { queuedFrames: 0, unconfirmedFrames: frame });
    }
    expect(sent.eventsAmongLast(3_000_000)).toBe(1_500_000);
    expect(sent.eventsAmongLast(1_000_000)).toBeGreaterThanOrEqual(500_000);
    expect(sent.eventsAmongLast(1_000_000)).toBeLessThan(510_000);
  });
});
