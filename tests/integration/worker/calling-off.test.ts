import { describe, expect, test } from "vitest";
import { emptyMessage } from "../../../src/protocol/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import type { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { latest, openStage, settled, until } from "../../support/worker/stage.ts";
import { serveStuck } from "../../support/worker/stuck-agent.ts";

/** Makes a host answer no unary call any more. The gate opens when one has come. */
function fallSilent(host: ScriptedHost): Gate {
  const asked = new Gate();
  host.script = () => {
    asked.open();
    return new Promise<never>(() => {});
  };
  return asked;
}

describe("a start that is called off by its signal", () => {
  test("while no host is there ends at once, and the worker can be started again", async () => {
    await using stage = await openStage({ reconnect: { startWaits: true } });
    const { host, worker, clock } = stage;
    await host.kill();
    const off = new AbortController();
    const started = worker.start({ signal: off.signal }).catch((error: unknown) => error);
    await until(worker, "waiting");
    off.abort();
    expect(await started).toMatchObject({ code: "cancelled" });
    expect((await latest(worker)).at).toBe("closed");
    expect(worker.isRunning).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    await host.revive();
    await worker.start();
    expect(worker.isRunning).toBe(true);
  });

  test("while it registers leaves the host", async () => {
    await using stage = await openStage();
    const { host, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    const asked = fallSilent(host);
    const off = new AbortController();
    const started = worker.start({ signal: off.signal }).catch((error: unknown) => error);
    await asked.opened;
    off.abort();
    const channel = await host.channels.take();
    await channel.ended;
    expect(await started).toMatchObject({ code: "cancelled" });
    host.script = () => emptyMessage;
    await worker.start();
    expect((await host.channels.take()).clientId).not.toBe(channel.clientId);
  });

  test("before it begins does nothing", async () => {
    await using stage = await openStage();
    const { host, worker } = stage;
    await expect(worker.start({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
    expect(host.channels.rest).toEqual([]);
    await worker.start();
  });
});

describe("a stop", () => {
  test("during the registrations of a start ends that start, and the next start is a new one", async () => {
    await using stage = await openStage();
    const { host, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    const asked = fallSilent(host);
    const started = worker.start().catch((error: unknown) => error);
    await asked.opened;
    const stopped = worker.stop();
    expect(await started).toMatchObject({ code: "shutting-down" });
    await stopped;
    expect(await worker.closed).toEqual({ by: "stopped" });
    host.script = () => emptyMessage;
    await worker.start();
    expect(worker.isRunning).toBe(true);
    await worker.stop();
  });

  test("and a start in turn, again and again, leave one connection each time and none at last", async () => {
    await using stage = await openStage();
    const { host, worker, clock } = stage;
    const ids = new Set<string | undefined>();
    for (let run = 0; run < 5; run += 1) {
      await worker.start();
      const channel = await host.channels.take();
      ids.add(channel.clientId);
      await worker.stop();
      await channel.ended;
    }
    expect(ids.size).toBe(5);
    expect(host.channels.rest).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("whose signal aborts waits for handlers no longer", async () => {
    await using stage = await openStage({ drainTimeoutMs: 60_000 });
    const { host, worker, clock } = stage;
    const told = await serveStuck(worker);
    await worker.start();
    const channel = await host.channels.take();
    channel.send(requestFrame("a/k"));
    await settled();
    const enough = new AbortController();
    const stopped = worker.stop({ signal: enough.signal });
    await until(worker, "draining");
    enough.abort();
    expect((await next(channel, "response")).error).toBe("The worker is shutting down.");
    expect(await told.opened).toMatchObject({ code: "shutting-down" });
    await stopped;
    expect(clock.pendingTimers).toBe(0);
  });
});
