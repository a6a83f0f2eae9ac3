import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import type { Gate } from "../../support/gate.ts";
import { next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { latest, openStage, type Stage, settled, until } from "../../support/worker/stage.ts";
import { serveStuck } from "../../support/worker/stuck-agent.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("b", "k");
const topic = new TopicId("t", "s");

/** A worker that knows two hosts, connected to the first. */
async function openTwoHosts() {
  const stage = await openStage();
  const { host, clock } = stage;
  const other = await new ScriptedHost(undefined, host.network).listen();
  other.endsChannels = true;
  const addresses = [host.address, other.address];
  const worker = host.newWorker({ clock, random: () => 0, keepAliveMs: 0, address: addresses });
  await worker.registerFactory("a", () => new FunctionAgent(() => Reply({ content: "r" })));
  worker.addMessageSerializer([MyMessage, Reply]);
  await worker.start();
  const channel = await host.channels.take();
  const close = () => stage[Symbol.asyncDispose]();
  return { host, other, clock, worker, channel, [Symbol.asyncDispose]: close };
}

describe("a host that says it is leaving", () => {
  test("is left for the next one; what it was asked it still answers, and is answered", async () => {
    await using stage = await openTwoHosts();
    const { other, worker, channel } = stage;
    const asked = worker.sendMessage(message, target);
    const { requestId } = await next(channel, "request");
    channel.send({ kind: "leaving", graceMs: 5_000 });
    const moved = await other.channels.take();
    expect((await until(worker, "connected")).address).toBe(other.address);
    expect(other.methods).toEqual(["RegisterAgent"]);
    channel.send(requestFrame("a/k", { requestId: "h1" }));
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", error: "" });
    channel.send(responseFrame(requestId));
    await asked;
    await worker.publishMessage(message, topic);
    await next(moved, "event");
    expect(channel.received.rest).toEqual([]);
    channel.stream.finish({ code: 14, details: "bye" });
    await settled();
    expect((await latest(worker)).at).toBe("connected");
  });

  test("ends calls that it does not answer in its time, and no others", async () => {
    await using stage = await openTwoHosts();
    const { other, worker, channel, clock } = stage;
    const outcome = worker.sendMessage(message, target).catch((error: unknown) => error);
    await next(channel, "request");
    channel.send({ kind: "leaving", graceMs: 5_000 });
    const moved = await other.channels.take();
    await until(worker, "connected");
    const asked = worker.sendMessage(message, target);
    const { requestId } = await next(moved, "request");
    clock.advance(6_000);
    expect(await outcome).toMatchObject({ code: "disconnected" });
    moved.send(responseFrame(requestId));
    await asked;
  });

  test("is waited for where there is no other; what is published meanwhile is kept", async () => {
    await using stage = await openStage();
    const { host, worker, clock } = stage;
    await worker.start();
    const channel = await host.channels.take();
    channel.send({ kind: "leaving", graceMs: 5_000 });
    expect(await until(worker, "waiting")).toMatchObject({
      delayMs: 5_000,
      reason: expect.stringContaining("leaving"),
    });
    await worker.publishMessage(message, topic);
    await host.kill();
    await host.revive();
    while ((await latest(worker)).at !== "connected") {
      await settled();
      clock.advance(100);
    }
    await next(await host.channels.take(), "event");
    expect(channel.received.rest).toEqual([]);
  });
});

describe("a second process signal", () => {
  /** A worker that stops at a signal while a handler runs that never ends. */
  async function openStuck(): Promise<Stage & { readonly told: Gate<unknown> }> {
    const stage = await openStage({ drainTimeoutMs: 60_000 });
    const { worker } = stage;
    const told = await serveStuck(worker);
    await worker.start();
    return { ...stage, told };
  }

  test("ends the stop's waiting and then the process: what runs is answered for, and the worker leaves", async () => {
    await using stage = await openStuck();
    const { host, worker, told } = stage;
    const channel = await host.channels.take();
    const exits: number[] = [];
    channel.send(requestFrame("a/k"));
    await settled();
    const stopped = worker.stopWhenSignal({ signals: ["SIGUSR2"], exit: (code) => exits.push(code) });
    process.kill(process.pid, "SIGUSR2");
    await until(worker, "draining");
    process.kill(process.pid, "SIGUSR2");
    expect((await next(channel, "response")).error).toBe("The worker is shutting down.");
    expect(await told.opened).toMatchObject({ code: "shutting-down" });
    await stopped;
    expect(exits).toEqual([128 + constants.signals.SIGUSR2]);
    expect(process.listenerCount("SIGUSR2")).toBe(0);
    expect(stage.clock.pendingTimers).toBe(0);
  });
});

describe("a stop", () => {
  test("closes agents once, also when the host is lost while it waits for handlers", async () => {
    await using stage = await openStage({ drainTimeoutMs: 1_000 });
    const { host, worker, clock } = stage;
    const agent = new FunctionAgent(() => new Promise(() => {}));
    worker.addMessageSerializer(MyMessage);
    await worker.registerAgentInstance(agent, new AgentId("a", "k"));
    await worker.start();
    const channel = await host.channels.take();
    channel.send(requestFrame("a/k"));
    await settled();
    const stopped = worker.stop();
    await settled();
    await host.kill();
    await settled();
    clock.advance(1_000);
    await stopped;
    expect(agent.closedTimes).toBe(1);
    expect(clock.pendingTimers).toBe(0);
    expect(await worker.closed).toEqual({ by: "stopped" });
  });

  test("while the worker is on its way back ends the search", async () => {
    await using stage = await openStage();
    const { host, worker, clock } = stage;
    await worker.start();
    await host.kill();
    await until(worker, "waiting");
    await worker.stop();
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(await latest(worker)).toEqual({ at: "closed", reason: "The worker was stopped." });
  });
});
