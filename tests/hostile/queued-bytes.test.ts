import { expect, test } from "vitest";
import { encodeAddSubscriptionRequest, encodeRegisterAgentRequest } from "../../src/protocol/index.ts";
import { encodeControl } from "../../src/protocol/internal.ts";
import type { Offender } from "../integration/poison/offender.ts";
import { message } from "../integration/poison/raw-http2.ts";
import { exact } from "../support/raw-worker.ts";
import { BesiegedHost, MiB } from "./support/besieged-host.ts";
import { CallFlood } from "./support/call-flood.ts";
import { callFrame, eventFrame, lateIdCall, tellingFrames } from "./support/frames.ts";

/** Registers in the name of a client, on the offender's connection. */
async function declare(offender: Offender, clientId: string, type: string, topic?: string): Promise<void> {
  const headers = { "client-id": clientId };
  await offender.unary("RegisterAgent", message(encodeRegisterAgentRequest(type)), headers);
  if (topic === undefined) return;
  const subscription = { id: type, pattern: exact(topic, type) };
  await offender.unary("AddSubscription", message(encodeAddSubscriptionRequest(subscription)), headers);
}

test("events for 100 channels of one connection that reads nothing are bounded in all, and its hang-up frees them", async () => {
  await using host = await BesiegedHost.start();
  const before = (await host.counters()).heldBytes;
  const registrar = await host.offender("registrar");
  const deaf = await host.offender("deaf", { windowBytes: 0 });
  for (let nr = 0; nr < 100; nr += 1) {
    deaf.open("OpenChannel", { "client-id": `deaf-${nr}` });
    await declare(registrar, `deaf-${nr}`, `deaf_${nr}`, "news");
  }
  const publisher = await host.worker("publisher");
  for (let nr = 0; nr < 300; nr += 1) publisher.sendBytes(eventFrame("news", 100_000));
  await host.until(({ events }) => events >= 300);
  expect((await host.counters()).droppedEvents).toBeGreaterThan(20_000);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("100 channels that read nothing");
  deaf.destroy();
  registrar.destroy();
  await publisher.link.close();
  await host.until(({ heldBytes, subscriptions }) => heldBytes <= before + MiB && subscriptions === 0);
});

test("answers for 50 workers that make calls and read nothing are bounded in all", async () => {
  await using host = await BesiegedHost.start();
  const long = "r".repeat(100_000);
  for (let nr = 0; nr < 50; nr += 1) {
    const offender = await host.offender(`caller-${nr}`, { windowBytes: 0 });
    const call = offender.open("OpenChannel");
    // The host reflects the id of a call that it refuses.
    for (let count = 0; count < 100; count += 1) call.stream.write(message(callFrame(`${count}-${long}`)));
  }
  await host.until(({ calls, gaveWay, overflowedChannels }) => calls > 1_000 || gaveWay + overflowedChannels > 20);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("50 workers that read no answers");
});

test("requests on control channels that are never answered are counted", async () => {
  await using host = await BesiegedHost.start();
  const name = "n".repeat(1_900);
  for (let pair = 0; pair < 20; pair += 1) {
    const offender = await host.offender(`asker-${pair}`);
    offender.open("OpenControlChannel", { "client-id": `silent-${pair}` });
    const asker = offender.open("OpenControlChannel");
    await tellingFrames(offender);
    for (let nr = 0; nr < 1_000; nr += 1) {
      const request = encodeControl({
        rpcId: `${nr}-${name}`,
        destination: `clientid=silent-${pair}`,
        respondTo: `clientid=asker-${pair}`,
        body: { kind: "save-request", agentId: { type: "a", key: name } },
      });
      if (!(await asker.pour(message(request)))) break;
    }
  }
  await host.until(({ unroutableControlMessages, gaveWay }) => unroutableControlMessages > 100 || gaveWay > 0);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("20,000 requests on control channels");
});

test("control channels that read nothing are bounded in all", async () => {
  await using host = await BesiegedHost.start();
  const state = "s".repeat(100_000);
  for (let pair = 0; pair < 20; pair += 1) {
    const deaf = await host.offender(`deaf-${pair}`, { windowBytes: 0 });
    deaf.open("OpenControlChannel");
    await tellingFrames(deaf);
    const asker = (await host.offender(`asker-${pair}`)).open("OpenControlChannel");
    for (let nr = 0; nr < 80; nr += 1) {
      const body = { kind: "load-request", agentId: { type: "a", key: "k" }, state } as const;
      const destination = `clientid=deaf-${pair}`;
      if (!(await asker.pour(message(encodeControl({ rpcId: `${nr}`, destination, respondTo: undefined, body })))))
        break;
    }
  }
  await host.until(({ unroutableControlMessages, gaveWay }) => unroutableControlMessages > 100 || gaveWay > 5);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("20 control channels that read nothing");
});

test("pending calls with long ids are bounded in all, and each has an outcome when their target leaves", async () => {
  await using host = await BesiegedHost.start({ callTimeoutMs: 600_000 });
  const silent = await host.offender("silent");
  silent.open("OpenChannel").stream.resume();
  await declare(silent, "silent", "silent");
  const id = "i".repeat(1_000);
  const callers: CallFlood[] = [];
  for (let nr = 0; nr < 10; nr += 1) {
    const lot = Array.from({ length: 3_000 }, (_, at) => callFrame(`${at}${id}`, { target: "silent", key: id }));
    callers.push(new CallFlood((await host.offender(`caller-${nr}`)).open("OpenChannel"), lot));
  }
  await Promise.all(callers.map(({ taken }) => taken));
  const { overloadedCalls, gaveWay } = await host.counters();
  // All of them are more than the host keeps. Who had to give way first is not certain: callers, or the silent worker.
  expect(overloadedCalls + gaveWay).toBeGreaterThan(0);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("30,000 pending calls with ids of 1,000 bytes");
  silent.destroy();
  await Promise.all(callers.map(({ settled }) => settled));
});

test("calls to clients that never open their channel are counted while the host holds them", async () => {
  await using host = await BesiegedHost.start({ channelWaitMs: 600_000 });
  const offender = await host.offender("caller");
  for (let nr = 0; nr < 20; nr += 1) await declare(offender, `ghost-${nr}`, `ghost_${nr}`);
  for (let nr = 0; nr < 10; nr += 1) {
    const call = (await host.offender(`caller-${nr}`)).open("OpenChannel");
    for (let at = 0; at < 40; at += 1) {
      if (!(await call.pour(message(callFrame(`${at}`, { target: `ghost_${at % 20}`, bytes: 500_000 }))))) break;
    }
  }
  await host.until(({ overloadedCalls, gaveWay }) => overloadedCalls > 50 || gaveWay > 5);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("400 held calls of 500 kB");
});

test("notices on side streams that nobody reads are bounded in all", async () => {
  await using host = await BesiegedHost.start();
  const deaf = await host.offender("deaf", { windowBytes: 0 });
  deaf.open("OpenChannel", { agtroupe: "1" });
  await tellingFrames(deaf);
  deaf.open("OpenSignals", { ":path": "/troupe.v1.Signals/OpenSignals" });
  await declare(await host.offender("registrar"), "deaf", "deaf");
  for (let nr = 0; nr < 10; nr += 1) {
    const worker = await host.worker(`quitter-${nr}`, { isAnnounced: true });
    for (let at = 0; at < 3_000; at += 1) {
      worker.request(`${at}`, "deaf/k");
      worker.send({ kind: "cancel", requestId: `${at}`, reason: "cancelled" });
    }
    await worker.settled();
  }
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("30,000 notices that nobody reads");
});

test("a call whose request id stands behind 30 MiB reaches its worker, whose queue is empty afterwards", async () => {
  await using host = await BesiegedHost.start({ maxMemoryBytes: 256 * MiB, maxQueuedBytes: 256 * MiB });
  const victim = await host.worker("victim");
  await victim.register("victim");
  const caller = await host.worker("caller");
  for (let nr = 0; nr < 3; nr += 1) caller.sendBytes(lateIdCall("late", "victim", 30_000_000));
  for (let nr = 0; nr < 3; nr += 1) expect((await victim.nextRequest()).target?.type).toBe("victim");
  await host.until(({ queuedBytes, queuedFrames }) => queuedBytes === 0 && queuedFrames === 0);
});
