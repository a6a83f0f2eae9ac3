import fc from "fast-check";
import { expect, it } from "vitest";
import { SentFrames } from "../../../src/host/sent-frames.ts";

it("knows how many of the frames that have not left are events, whatever was sent before", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 900 })), { maxLength: 30 }),
      fc.nat({ max: 3_000 }),
      (runs, queued) => {
        const sent = new SentFrames();
        const all: boolean[] = [];
        for (const [isEvent, count] of runs) {
          for (let frame = 0; frame < count; frame += 1) {
            all.push(isEvent);
            sent.note(isEvent, Math.min(all.length, queued));
          }
        }
        const unsent = Math.min(all.length, queued);
        expect(sent.eventsAmongLast(unsent)).toBe(all.slice(all.length - unsent).filter(Boolean).length);
      },
    ),
  );
});
