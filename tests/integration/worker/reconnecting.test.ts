import { describe, expect, test } from "vitest";
import { AgentId, TypePrefixSubscription, TypeSubscription } from "../../../src/core/index.ts";
import { decodeAddSubscriptionRequest, decodeRegisterAgentRequest, emptyMessage } from "../../../src/protocol/index.ts";
import type { ManualClock } from "../../../src/testing/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import type { WorkerStatus } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { eventFrame, next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { type Script, ScriptedHost } from "../../support/worker/scripted-host.ts";
import { comeBack, latest, openStage, settled, until } from "../../support/worker/stage.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("b", "k");

/** Refuses the type `a` as long as somebody has it. */
function takenBy(owner: () => string | undefined): Script {
  return ({ method, request }) => {
    const by = owner();
    if (method !== "RegisterAgent" || by === undefined || decodeRegisterAgentRequest(request) !== "a")
      return emptyMessage;
    throw new RpcError(StatusCode.invalidArgument, `Agent type a already registered with client ${by}.`);
  };
}

/** Lets time pass until it is so. */
async function letPass(clock: ManualClock, isSo: () => Promise<boolean>): Promise<void> {
  await settled();
  while (!(await isSo())) {
    clock.advance(100);
    await settled();
  }
}

describe("a worker that has lost its host", () => {
  test("logs why it does not come back: each new reason once, however often it tries", async () => {
    const logger = new RecordingLogger();
    await using stage = await openStage({ logger });
    const { host, clock, worker } = stage;
    await worker.start();
    await host.kill();
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const { delayMs } = await until(worker, "waiting");
      clock.advance(delayMs);
      await settled();
    }
    const warned = () => logger.texts("warn").filter((text) => text.includes("Can't reach the host"));
    expect(warned()).toEqual([expect.stringContaining(host.address)]);
    await host.revive();
    clock.advance((await until(worker, "waiting")).delayMs);
    await until(worker, "connected");
    await host.kill();
    clock.advance((await until(worker, "waiting")).delayMs);
    await settled();
    await until(worker, "waiting");
    expect(warned(), "another outage").toHaveLength(2);
  });

  test("comes back under a new client id with its types, then its subscriptions, and hears events again [§8.101]", async () => {
    const logger = new RecordingLogger();
    await using stage = await openStage({ logger });
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
    expect(worker.counters().reconnections).toBe(1);
    expect(logger.texts("info")).toContain(
      `Connected to the host at ${host.address} again, as client ${second.clientId}.`,
    );
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

  test("knows itself also under an id that it had before its last one [§8.102]", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.start();
    const first = await host.channels.take();
    await host.kill();
    await comeBack(stage);
    host.calls.length = 0;
    host.script = takenBy(() => (host.calls.length < 20 ? first.clientId : undefined));
    host.network.cut();
    await letPass(clock, async () => host.calls.length >= 20 && (await latest(worker)).at === "connected");
    expect(host.methods).toEqual(Array(20).fill("RegisterAgent"));
  });

  test("leaves a type that another worker has taken to it, says so once, and is there for all the rest [§8.102]", async () => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    const heard: unknown[] = [];
    const open = new Gate();
    worker.addMessageSerializer(MyMessage);
    await worker.registerFactory("a", () => new FunctionAgent(() => void heard.push("a")));
    await worker.registerFactory("c", () => new FunctionAgent(() => open.open()));
    for (const type of ["a", "c"]) await worker.addSubscription(new TypeSubscription("t", type));
    await worker.start();
    await host.channels.take();
    let owner: string | undefined = "X";
    host.script = takenBy(() => owner);
    const told = async () => {
      host.calls.length = 0;
      host.network.cut();
      await letPass(clock, async () => host.methods.length > 2 && (await latest(worker)).at === "connected");
      return host.calls.map(({ method, request }) => {
        return method === "RegisterAgent"
          ? decodeRegisterAgentRequest(request)
          : decodeAddSubscriptionRequest(request).pattern?.agentType;
      });
    };
    const startMs = clock.now();
    expect((await told()).filter((type) => type === "c")).toHaveLength(2);
    expect(clock.now() - startMs).toBeLessThan(10_000);
    const warnings = () => host.logger.texts("warn").filter((text) => text.includes("left to another worker"));
    expect(warnings()).toEqual([expect.stringContaining("Agent type a already registered with client X.")]);

    // An event for both that comes here for the sake of `c` is the other worker's where it is for `a`.
    (await host.channels.take()).send(eventFrame("t/k"));
    await open.opened;
    await settled();
    expect(heard).toEqual([]);

    // It is asked for once at the next return, without a word; and taken back when it is free.
    expect(await told()).toEqual(["a", "c", "c"]);
    owner = undefined;
    expect(await told()).toEqual(["a", "c", "a", "c"]);
    expect(warnings()).toHaveLength(1);
  });

  test.each([
    ["with generation 1, whose refusal names nobody", "Agent type a already registered.", "RegisterAgent", "a"],
    ["of a subscription, which names nobody either", "Subscription already exists", "AddSubscription", "elsewhere"],
  ])("ends the retry after a while %s [§8.102]", async (_when, refusal, refused, subscribed) => {
    await using stage = await openStage();
    const { host, clock, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.addSubscription(new TypeSubscription("t", subscribed));
    await worker.start();
    host.script = ({ method }) => {
      if (method === refused) throw new RpcError(StatusCode.invalidArgument, refusal);
      return emptyMessage;
    };
    host.network.cut();
    await settled();
    const startMs = clock.now();
    await letPass(clock, async () => (await latest(worker)).at === "connected");
    expect(clock.now() - startMs).toBeGreaterThan(10_000);
    expect(clock.now() - startMs).toBeLessThan(40_000);
    expect(host.logger.texts("warn").filter((text) => text.includes(refusal))).toHaveLength(1);
  });

  test("gives up after the attempts it may make, and says why [§8.102]", async () => {
    await using stage = await openStage({ reconnect: { maxAttempts: 2 } });
    const { host, clock, worker } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    await worker.start();
    const old = await host.channels.take();
    host.script = takenBy(() => old.clientId);
    host.network.cut();
    let closed: unknown;
    void worker.closed.then((end) => {
      closed = end;
    });
    await letPass(clock, async () => closed !== undefined);
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
