import { startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { fact, spread } from "../../support/load/facts.ts";
import { Caller } from "./support/caller.ts";
import { startWorkerProgram, type WorkerReport } from "./support/remote-program.ts";
import { startTroupeHost } from "./support/troupe-host.ts";

const inFlight = 500;

/** Without keep-alive only the broken connection can tell a caller that its host is gone. */
const withoutKeepAlive = { keepAliveMs: 0 };

/** Workers dial a proxy that stays where it is; behind it the host may come back at another port. */
describe("kill -9 of the host under load", () => {
  test("each call has a typed outcome at once; workers live, come back, and serve again", {
    timeout: 90_000,
  }, async () => {
    await using first = await startTroupeHost();
    await using proxy = await startFaultProxy({ target: first.address });
    const { address } = proxy;
    const readers = [{ type: "reader", topic: "news" }];
    await using target = await startWorkerProgram({ address, echoes: ["echo"], holders: ["holder"], readers });
    await using caller = await Caller.start("caller", address, withoutKeepAlive);
    const held = caller.hold("holder", inFlight);
    const load = caller.load(["echo/a", "echo/b"], 32);
    const news = caller.publish("news");
    await target.tell("held", inFlight);
    await target.tell("arrived", 100);
    await caller.ledger.until(({ answered }) => answered >= 500);

    const killedMs = performance.now();
    await first.program.stop("SIGKILL");
    const outcomes = await held;
    fact(
      "kill -9 of the host, until each call in flight had its outcome",
      spread(outcomes.map(({ endedMs }) => endedMs - killedMs)),
    );
    expect(new Set(outcomes.map((outcome) => (outcome.kind === "failed" ? outcome.code : "answered")))).toEqual(
      new Set(["disconnected"]),
    );

    await using second = await startTroupeHost();
    proxy.retarget(second.address);
    const startedMs = performance.now();
    await caller.untilAnswered("echo/a");
    fact("a new host ready, until a call through it was answered", `${(performance.now() - startedMs).toFixed(0)} ms`);
    await load.stop();
    expect(caller.ledger.report()).toMatchObject({ open: 0, wrong: [] });
    expect(caller.runtime.pendingCallsCount).toBe(0);
    // Events flow again, none twice and none out of order; what the dead host had queued is gone with it.
    const { events } = await target.tell<WorkerReport>("report");
    await target.tell("arrived", events + 100);
    await news.stop();
    expect(news.untypedErrors).toEqual([]);
    const { counts, wrongEvents } = await target.tell<WorkerReport>("report");
    expect(wrongEvents).toEqual([]);
    expect(counts).toMatchObject({ unreadableFrames: 0, unexpectedAnswers: 0 });
  });

  test("and of a worker with it: callers have their outcomes, and those who come later are served", {
    timeout: 90_000,
  }, async () => {
    await using first = await startTroupeHost();
    await using proxy = await startFaultProxy({ target: first.address });
    const { address } = proxy;
    await using target = await startWorkerProgram({ address, echoes: ["echo"], holders: ["holder"] });
    await using caller = await Caller.start("caller", address, withoutKeepAlive);
    const held = caller.hold("holder", inFlight);
    const load = caller.load(["echo/a", "echo/b"], 32);
    await target.tell("held", inFlight);

    await Promise.all([first.program.stop("SIGKILL"), target.kill()]);
    for (const outcome of await held) expect(outcome.kind).toBe("failed");

    await using second = await startTroupeHost();
    proxy.retarget(second.address);
    await using _heir = await startWorkerProgram({ address, echoes: ["echo"] });
    await caller.untilAnswered("echo/a");
    await load.stop();
    expect(caller.ledger.report()).toMatchObject({ open: 0, wrong: [] });
    expect(caller.runtime.pendingCallsCount).toBe(0);
  });

  test("20 workers register again with the host that takes its place", { timeout: 90_000 }, async () => {
    await using first = await startTroupeHost();
    await using proxy = await startFaultProxy({ target: first.address });
    const { address } = proxy;
    const programs = await Promise.all(
      ["a", "b", "c", "d"].map((name) => startWorkerProgram({ address, runtimes: 5, echoes: [name] })),
    );
    try {
      const targets = ["a", "b", "c", "d"].flatMap((name) => [0, 1, 2, 3, 4].map((at) => `${name}-${at}/k`));
      await using caller = await Caller.start("caller", address, withoutKeepAlive);
      await Promise.all(targets.map((target) => caller.untilAnswered(target)));

      await first.program.stop("SIGKILL");
      await using second = await startTroupeHost();
      proxy.retarget(second.address);
      const startedMs = performance.now();
      await Promise.all(targets.map((target) => caller.untilAnswered(target)));
      fact(
        "a new host ready, until 20 workers were registered again",
        `${(performance.now() - startedMs).toFixed(0)} ms`,
      );
      expect(caller.ledger.report()).toMatchObject({ open: 0, wrong: [] });
      expect(programs.every((program) => program.isRunning)).toBe(true);
    } finally {
      await Promise.all(programs.map((program) => program.kill()));
    }
  });
});
