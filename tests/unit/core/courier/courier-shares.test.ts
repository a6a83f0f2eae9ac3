import { describe, expect, test } from "vitest";
import type { CourierOutcome } from "../../../../src/core/courier/courier-call.ts";
import { LimitedLog, TroupeError } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { handled, Lab, startMs, turn } from "./courier-lab.ts";

const KiB = 1_024;

/** The key of an agent is `type:number` here. */
async function startedLab(options?: Parameters<typeof Lab.started>[0]): Promise<Lab> {
  const lab = await Lab.started(options);
  lab.typeOf = (key) => key.slice(0, key.indexOf(":"));
  return lab;
}

function failed(code: "undeliverable" | "invalid-message"): CourierOutcome {
  return { at: "failed", error: new TroupeError(code, "text") };
}

const countOf = (lab: Lab, agentType: string): number =>
  lab.calls.rest.filter(({ agent }) => agent.type === agentType).length;

/** Lets what is under way in the store settle. */
async function turns(count = 20): Promise<void> {
  for (let left = count; left > 0; left -= 1) await turn();
}

describe("a courier with agents that do not answer", () => {
  test("delivers mail of another type while 2,000 agents of one type hang", async () => {
    const lab = await startedLab();
    for (let index = 0; index < 2_000; index += 1) await lab.keep(`hung:${index}`, "1");
    await turns();
    expect(countOf(lab, "hung")).toBe(500);
    for (let index = 0; index < 50; index += 1) await lab.keep(`fine:${index}`, "1");
    await lab.until(() => countOf(lab, "fine") === 50, 10);
    for (const call of lab.calls.rest.filter(({ agent }) => agent.type === "hung")) call.end(handled);
    await lab.until(() => countOf(lab, "hung") > 900, 10);
  });

  test("delivers mail to another address while agents of a hundred types at one address hang", async () => {
    const lab = await startedLab();
    lab.partyOf = (agentType) => (agentType === "fine" ? "10.0.0.2" : "10.0.0.1");
    for (let index = 0; index < 2_000; index += 1) await lab.keep(`hung${index % 100}:${index}`, "1");
    await turns();
    expect(lab.calls.rest.length).toBe(667);
    for (let index = 0; index < 50; index += 1) await lab.keep(`fine:${index}`, "1");
    await lab.until(() => countOf(lab, "fine") === 50, 10);
  });

  test("delivers mail of another type while long messages hang, whose bytes have a bound", async () => {
    const lab = await startedLab();
    for (let index = 0; index < 100; index += 1) await lab.keep(`hung:${index}`, "1", new Uint8Array(256 * KiB));
    await turns();
    expect(countOf(lab, "hung")).toBe(32);
    await lab.keep("fine:1", "1", new Uint8Array(256 * KiB));
    await lab.until(() => countOf(lab, "fine") === 1, 10);
    let ended = 0;
    await lab.until(() => {
      for (const call of lab.calls.rest.slice(ended)) call.end(handled);
      ended = lab.calls.rest.length;
      return lab.courier.counters.mailDelivered === 101;
    }, 10);
  });

  test("fires reminders of another type while 3,000 reminders of one type hang, and fires those in the end", async () => {
    const lab = await startedLab();
    for (let index = 0; index < 3_000; index += 1) await lab.remind(`hung:${index}`, "one", 1_000);
    await lab.remind("fine:1", "one", 2_000);
    await lab.until(() => countOf(lab, "fine") === 1);
    expect(countOf(lab, "hung")).toBe(500);
    let ended = 0;
    await lab.until(() => {
      for (const call of lab.calls.rest.slice(ended)) call.end(handled);
      ended = lab.calls.rest.length;
      return lab.courier.counters.remindersFired === 3_001;
    });
  });
});

describe("a courier with mail for a type that nobody serves", () => {
  test("delivers mail of other types while 3,000 agents wait, and all of it in the end", async () => {
    const lab = await startedLab();
    let isThere = false;
    lab.answer = ({ agent: { type } }) => (type === "away" && !isThere ? failed("undeliverable") : handled);
    for (let index = 0; index < 3_000; index += 1) await lab.keep(`away:${index}`, "1");
    // Each has been tried several times.
    for (let round = 0; round < 15; round += 1) {
      lab.clock.advance(1_000);
      await turns(5);
    }
    for (let index = 0; index < 50; index += 1) await lab.keep(`here:${index}`, "1");
    await lab.until(() => lab.courier.counters.mailDelivered === 50, 10);
    isThere = true;
    await lab.until(() => lab.courier.counters.mailDelivered === 3_050);
    expect(await lab.memory.mail({ limit: 1 })).toEqual([]);
  });

  test("logs 50 lines of a kind in 10 s, however many agents there are", async () => {
    const clock = new ManualClock(startMs);
    const recorded = new RecordingLogger();
    const lab = await startedLab({ clock, logger: new LimitedLog(recorded, clock) });
    lab.answer = ({ agent: { type } }) => failed(type === "away" ? "undeliverable" : "invalid-message");
    for (let index = 0; index < 200; index += 1) {
      await lab.keep(`away:${index}`, "1");
      await lab.keep(`bad:${index}`, "1");
      await lab.remind(`bad:${index}`, "one", 10);
    }
    await lab.until(() => lab.courier.counters.deadLetters + lab.courier.counters.remindersFailed === 400, 10);
    for (const kind of ["Told messages wait", "A message to", "The reminder one"]) {
      expect(recorded.lines.filter(({ text }) => text.startsWith(kind)).length).toBe(50);
    }
  });
});
