import { describe, expect, test } from "vitest";
import { fact, spread } from "../../support/load/facts.ts";
import { Caller } from "./support/caller.ts";
import { startHostProgram, startWorkerProgram, untilCounters, type WorkerReport } from "./support/remote-program.ts";

const inFlight = 500;

/** Without keep-alive only the broken connection can tell the host that a worker is gone. */
const withoutKeepAlive = { channelOptions: { pingIntervalMs: 0 } };

describe("kill -9 of a worker under load", () => {
  test("each of its callers has a typed outcome at once, and calls to others go on", { timeout: 60_000 }, async () => {
    await using host = await startHostProgram(withoutKeepAlive);
    const { address } = host.ready;
    const [victim, bystander] = await Promise.all([
      startWorkerProgram({
        address,
        echoes: ["victim-echo"],
        holders: ["holder"],
        readers: [{ type: "victim-reader", topic: "news" }],
      }),
      startWorkerProgram({ address, echoes: ["echo"], readers: [{ type: "reader", topic: "news" }] }),
    ]);
    await using _victim = victim;
    await using _bystander = bystander;
    await using caller = await Caller.start("caller", address);
    await using other = await Caller.start("other", address);
    const held = caller.hold("holder", inFlight);
    const load = caller.load(["victim-echo/a", "victim-echo/b"], 32);
    const otherLoad = other.load(["echo/a", "echo/b"], 16);
    const news = other.publish("news");
    await victim.tell("held", inFlight);
    await victim.tell("arrived", 100);
    await caller.ledger.until(({ answered }) => answered >= 500);

    const killedMs = performance.now();
    await victim.kill();
    const outcomes = await held;
    fact(
      "kill -9 of the target, until each call in flight had its outcome",
      spread(outcomes.map(({ endedMs }) => endedMs - killedMs)),
    );
    expect(new Set(outcomes.map((outcome) => (outcome.kind === "failed" ? outcome.code : "answered")))).toEqual(
      new Set(["disconnected"]),
    );

    // The type is free again: another worker takes it, and whoever calls it is answered.
    const { answered } = other.ledger.report();
    await using _heir = await startWorkerProgram({ address, echoes: ["victim-echo"], holders: ["holder"] });
    await caller.untilAnswered("victim-echo/a");
    await other.ledger.until((report) => report.answered > answered + 100);
    await Promise.all([load.stop(), otherLoad.stop()]);
    // Who reads on has had every event once and in order.
    const published = await news.stop();
    await bystander.tell("arrived", published);
    expect(await bystander.tell<WorkerReport>("report")).toMatchObject({ events: published, wrongEvents: [] });

    const { failed, ...calls } = caller.ledger.report();
    expect(calls).toMatchObject({ open: 0, wrong: [] });
    // Those under way when it died, and those made before its heir came.
    expect(Object.keys(failed).sort()).toEqual(["disconnected", "undeliverable"]);
    expect(other.ledger.report()).toMatchObject({ open: 0, wrong: [], failed: {} });
    expect(caller.runtime.pendingCallsCount).toBe(0);
    expect(caller.runtime.counters().unexpectedAnswers).toBe(0);
    expect(host.isRunning && bystander.isRunning).toBe(true);
    await untilCounters(host, ({ pendingCalls, channels }) => pendingCalls === 0 && channels === 4);
  });

  test("a caller that is killed leaves nothing behind, and its targets go on", { timeout: 60_000 }, async () => {
    await using host = await startHostProgram(withoutKeepAlive);
    const { address } = host.ready;
    await using target = await startWorkerProgram({ address, echoes: ["echo"], holders: ["holder"] });
    await using victim = await startWorkerProgram({ address });
    await using other = await Caller.start("other", address);
    await victim.tell("load", { targets: ["echo/a", "echo/b", "holder/c"], concurrency: 64 });
    const load = other.load(["echo/a"], 16);
    await target.tell("held", 64);
    const killedMs = performance.now();
    await victim.kill();
    await target.tell("released", 64);
    fact("kill -9 of a caller, until its handlers were told", `${(performance.now() - killedMs).toFixed(0)} ms`);
    await untilCounters(host, ({ channels }) => channels === 2);
    const { answered } = other.ledger.report();
    await other.ledger.until((report) => report.answered > answered + 200);
    await load.stop();
    await untilCounters(host, ({ pendingCalls }) => pendingCalls === 0);
    expect(other.ledger.report()).toMatchObject({ open: 0, wrong: [], failed: {} });
    const report = await target.tell<WorkerReport>("report");
    expect(report.released).toEqual({ "caller-gone": 64 });
    expect(report.counts).toMatchObject({ unreadableFrames: 0, unexpectedAnswers: 0 });
  });
});
