import { expect, test } from "vitest";
import { Courier } from "../../../../src/core/courier/courier.ts";
import type { CourierOccurrence } from "../../../../src/core/courier/courier-occurrence.ts";
import type { Commit } from "../../../../src/core/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { frame } from "./courier-lab.ts";

test("an observer hears of each message of a large commit once: that it is kept, or that it found no space", () => {
  const told: CourierOccurrence[] = [];
  const clock = new ManualClock();
  const courier = new Courier({
    ...{
      store: new MemoryStateStore({ clock }),
      clock,
      logger: new RecordingLogger(),
      cron: undefined,
      retry: undefined,
    },
    deliver: () => ({ outcome: new Promise(() => {}), withdraw: () => undefined }),
    random: () => 0,
    observers: { now: (occurrence) => told.push(occurrence) },
    onBusy: () => undefined,
  });
  const mail = Array.from({ length: 1_000 }, (_, index) => ({
    ...{ id: `${index}`, receiver: { type: "a", key: `${index}` }, kind: "event" as const, frame },
  }));
  const commit: Commit = {
    ...{ agent: { type: "b", key: "k" }, epoch: undefined, expected: { at: "anything" }, write: { at: "keep" } },
    ...{ reminders: [], mail, remembered: [] },
  };
  const buriedMail = mail.map((_, index) => index).filter((index) => index % 2 === 1);
  courier.onDecided([commit], [{ at: "committed", eTag: "", revision: 0, buriedMail }]);
  const counts = { kept: 0, buried: 0 };
  for (const one of told)
    if (one.at === "mail" && (one.what === "kept" || one.what === "buried")) counts[one.what] += 1;
  expect(counts).toEqual({ kept: 500, buried: 500 });
});
