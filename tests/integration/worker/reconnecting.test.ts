import { describe, expect, test } from "vitest";
import { AgentId, TypePrefixSubscription, TypeSubscription } from "../../../src/core/index.ts";
import { decodeAddSubscriptionRequest, decodeRegisterAgentRequest, emptyMessage } from "../../../src/protocol/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import type { WorkerStatus } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { eventFrame, next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { latest, openStage, settled, until } from "../../support/worker/stage.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("b", "k");

describe("a worker that has lost its host", () => {
  test("comes back under a new client id with its types, then its subscriptions, and hears events again [§8.101]", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    const heard = new Gate<unknown>();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", () => new FunctionAgent((event) => heard.open(event)));
    await worker.registerFactory("c", () => new FunctionAgent());
    const subscriptions = [new TypeSubscription("t", "a"), new TypePrefixSubscription("c:", "c")];
    for (const subscription of subscriptions) await worker.addSubscription(subscription);
    await worker.start();
    const first = await host.channels.take();
    host.calls.length = 0;

    await host.kill();
    const waiting = await until(worker, "waiting");
    expect(waiting.reason).toContain(host.address);
    await host.revive();
    clock.advance(waiting.delayMs);
    const second = await host.channels.take();
    expect(await until(worker, "connected")).toEqual({
      at: "connected",
      address: host.address,
      clientId: second.clientId,
    });
    expect(second.clientId).not.toBe(first.clientId);
    expect(new Set(host.calls.map((call) => call.clientId))).toEqual(new Set([second.clientId]));
    const [types, added] = [host.calls.slice(0, 2), host.calls.slice(2)];
    expect(types.map(({ request }) => decodeRegisterAgentRequest(request))).toEqual(["a", "c"]);
    expect(added.map(({ request }) => decodeAddSubscriptionRequest(request).id)).toEqual(
      subscriptions.map(({ id }) => id),
    );
    second.send(eventFrame("t/k"));
    expect(await heard.opened).toEqual(MyMessage({ content: "x" }));
    expect(worker.counts.reconnections).toBe(1);
  });

  test("waits longer each time, up to a bound, and anew after a connection that stood", async () => {
    await using stage = await openStage({ reconnect: { maxDelayMs: 1_000 } });
    const { host, clock, worker } = stage;
    await worker.start();
    await host.kill();
    const delays: number[] = [];
    while (delays.length < 6) {
      const { delayMs } = await until(worker, "waiting");
      delays.push(delayMs);
      if (delays.length === 6) await host.revive();
      clock.advance(delayMs);
      await settled();
    }
    expect(delays).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    await until(worker, "connected");
    await host.kill();
    expect((await until(worker, "waiting")).delayMs).toBe(200);
    await host.revive();
    clock.advance(200);
    await until(worker, "connected");
    clock.advance(1_001);
    await host.kill();
    expect((await until(worker, "waiting")).delayMs).toBe(100);
  });

  test("tells again what the host still gives to its old client, until it is taken [§8.102]", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.addSubscription(new TypeSubscription("t", "a"));
    await worker.start();
    const old = await host.channels.take();
    host.calls.length = 0;
    let refusals = 3;
    host.script = ({ method }) => {
      if (refusals === 0) return emptyMessage;
      refusals -= 1;
      const taken = `Agent type a already registered with client ${old.clientId}.`;
      throw new RpcError(
        StatusCode.invalidArgument,
        method === "RegisterAgent" ? taken : "Subscription already exists",
      );
    };
    host.network.cut();
    const reasons: string[] = [];
    while (refusals > 0 || (await latest(worker)).at !== "connected") {
      const status = await latest(worker);
      if (status.at === "waiting") {
        reasons.push(status.reason);
        clock.advance(status.delayMs);
      }
      await settled();
    }
    expect(reasons.slice(1)).toEqual(Array(3).fill(expect.stringContaining("already registered with client")));
    expect(host.methods).toEqual([...Array(4).fill("RegisterAgent"), "AddSubscription"]);
    expect(host.channels.rest).toHaveLength(1);
  });

  test("warns once when its host goes on to refuse a type, since another worker may have it by now", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.start();
    host.calls.length = 0;
    host.script = () => {
      throw new RpcError(StatusCode.invalidArgument, "Agent type a already registered with client X.");
    };
    host.network.cut();
    while (host.calls.length < 8) {
      const status = await latest(worker);
      if (status.at === "waiting") clock.advance(status.delayMs);
      await settled();
    }
    expect(host.logger.texts("warn").filter((text) => text.includes("Agent type a already registered"))).toHaveLength(
      1,
    );
  });

  test("gives up after the attempts it may make, and says why [§8.102]", async () => {
    await using stage = await openStage({ reconnect: { maxAttempts: 2 } });
    const { host, clock, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.start();
    host.script = () => {
      throw new RpcError(StatusCode.invalidArgument, "Agent type a already registered with client X.");
    };
    host.network.cut();
    let closed: unknown;
    void worker.closed.then((end) => {
      closed = end;
    });
    while (closed === undefined) {
      clock.advance(100);
      await settled();
    }
    expect(closed).toEqual({ by: "lost", reason: expect.stringContaining("already registered") });
    expect(worker.isRunning).toBe(false);
    await expect(worker.sendMessage(message, target)).rejects.toMatchObject({ code: "disconnected" });
    expect((await until(worker, "closed")).reason).toContain("already registered");
  });

  test("does not come back if it is told so", async () => {
    await using stage = await openStage({ reconnect: false });
    await stage.worker.start();
    stage.host.network.cut();
    expect(await stage.worker.closed).toMatchObject({ by: "lost" });
  });

  test("tries several addresses in turn, and stays at the one that took it", async () => {
    const other = new ScriptedHost();
    await using stage = await openStage();
    const { host, clock } = stage;
    await using spare = new ScriptedHost(undefined, host.network);
    spare.endsChannels = true;
    await spare.listen();
    const addresses = [other.address, host.address, spare.address];
    const worker = host.newWorker({ address: addresses, clock, random: () => 0, keepAliveMs: 0 });
    await worker.start();
    expect((await until(worker, "connected")).address).toBe(host.address);
    await host.kill();
    clock.advance((await until(worker, "waiting")).delayMs);
    expect((await until(worker, "connected")).address).toBe(spare.address);
    await host.revive();
    spare.network.cut(spare.address);
    clock.advance((await until(worker, "waiting")).delayMs);
    expect((await until(worker, "connected")).address).toBe(spare.address);
  });

  test("rejects its pending calls at once, and tells the handlers of calls that their callers are out of reach", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    const told = new Gate<unknown>();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory(
      "a",
      () =>
        new FunctionAgent(
          (_message, { signal }) =>
            new Promise((resolve) => {
              signal.addEventListener("abort", () => {
                told.open(signal.reason);
                resolve(undefined);
              });
            }),
        ),
    );
    await worker.start();
    const channel = await host.channels.take();
    const outcome = worker.sendMessage(message, target).catch((error: unknown) => error);
    await next(channel, "request");
    channel.send(requestFrame("a/k"));
    await settled();
    await host.kill();
    expect(await outcome).toMatchObject({ code: "disconnected", message: expect.stringContaining("may have been") });
    expect(await told.opened).toMatchObject({ code: "caller-gone" });
    await host.revive();
    clock.advance((await until(worker, "waiting")).delayMs);
    const again = await host.channels.take();
    await until(worker, "connected");
    expect(again.received.rest).toEqual([]);
  });

  test("registers what is asked meanwhile once it is back", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    await worker.start();
    await host.kill();
    const { delayMs } = await until(worker, "waiting");
    const registered = worker.registerFactory("late", () => new FunctionAgent());
    await host.revive();
    clock.advance(delayMs);
    await registered;
    expect(host.methods).toEqual(["RegisterAgent"]);
  });
});

describe("starting without a host", () => {
  test("waits for one by option [§8.105]", async () => {
    await using stage = await openStage({ reconnect: { startWaits: true } });
    const { host, clock, worker } = stage;
    await host.kill();
    const started = worker.start();
    for (const attempt of [1, 2, 3]) {
      if (attempt === 3) await host.revive();
      await settled();
      const status = await latest(worker);
      if (status.at === "waiting") clock.advance(status.delayMs);
    }
    await started;
    expect(worker.isRunning).toBe(true);
  });

  test("can be called off by a stop", async () => {
    await using stage = await openStage({ reconnect: { startWaits: true } });
    const { host, worker } = stage;
    await host.kill();
    const outcome = worker.start().catch((error: unknown) => error);
    await until(worker, "waiting");
    await worker.stop();
    expect(await outcome).toMatchObject({ code: "shutting-down" });
    expect(await worker.closed).toEqual({ by: "stopped" });
    expect(stage.clock.pendingTimers).toBe(0);
    await host.revive();
    await worker.start();
  });
});

describe("the status", () => {
  test("tells each step to a reader that keeps up", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    const seen: WorkerStatus["at"][] = [];
    const read = (async () => {
      for await (const status of worker.status()) seen.push(status.at);
    })();
    await settled();
    await worker.start();
    await settled();
    await host.kill();
    const { delayMs } = await until(worker, "waiting");
    await host.revive();
    clock.advance(delayMs);
    await until(worker, "connected");
    await worker.stop();
    await read;
    expect(seen).toEqual([
      "idle",
      "connecting",
      "connected",
      "waiting",
      "connecting",
      "connected",
      "draining",
      "closed",
    ]);
  });
});
