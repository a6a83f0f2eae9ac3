import { TimedOutError, TypeSubscription, UndeliverableException } from "troupe";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Opened } from "../support/opened.ts";
import { until } from "../support/worker/stage.ts";
import { generations } from "./support/generations.ts";
import { MyMessage } from "./support/messages.ts";
import type { PythonAgent } from "./support/peer-protocol.ts";
import { callFrom, type PythonHost, publishFrom, startPythonHost, startPythonWorker } from "./support/python-peers.ts";
import { recordedOfPythonHost } from "./support/recorded-host.ts";
import { TypeScriptWorker, type TypeScriptWorkerOptions } from "./support/typescript-worker.ts";

const hi = MyMessage({ content: "hi" });
const hiShown = { type: "MyMessage", message: { content: "hi" } };
const fourMiB = 4 * 1024 * 1024;

/** Our workers on AutoGen's own hosts, where the host does not help. */
for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`TypeScript workers on the host of ${generation.title}`, () => {
    let opened: Opened;
    let host: PythonHost;
    beforeEach(async () => {
      opened = new Opened();
      host = await startPythonHost(generation);
      opened.use(host.peer);
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    const typescript = async (options?: TypeScriptWorkerOptions) =>
      opened.use(await TypeScriptWorker.start(host.address, options));
    const python = async (...agents: readonly PythonAgent[]) =>
      opened.use(await startPythonWorker(generation, host.address, agents));
    const hosted = async () => {
      const id = host.peer.send({ cmd: "state" });
      const state = await host.peer.next("state", { id });
      return Object.keys(state.agentTypes as object).sort();
    };

    test("start, register and publish without a word from the host [§8.12]", async () => {
      expect(recordedOfPythonHost(generation, "response-headers").observed).toMatchObject({
        "headers before the first message": false,
      });
      const worker = await typescript();
      await worker.publish("nobody/listens", hi);
    });

    test("register types and both kinds of subscription, in the channel where the host knows no calls for it [§8.10]", async () => {
      const worker = await typescript();
      await worker.echo("ts-echo");
      await worker.collect("ts-collector", "news");
      expect(await hosted()).toEqual(["ts-collector", "ts-echo"]);
      const caller = await python();
      expect(await callFrom(caller, "ts-echo/k", hiShown)).toMatchObject(hiShown);
      for (const topic of ["news/exact", "ts-collector:by/prefix"]) await publishFrom(caller, topic, hiShown);
      for (const key of ["exact", "prefix"]) {
        expect(await worker.received(`ts-collector/${key}`)).toMatchObject(hiShown);
      }
    });

    test("are told that a type is taken, and can have it when it is free [§8.28]", async () => {
      const owner = await python({ kind: "echo", type: "taken" });
      const worker = await typescript();
      const refusal = {
        code: "already-exists",
        message: expect.stringContaining("Agent type taken already registered"),
      };
      await expect(worker.echo("taken")).rejects.toMatchObject(refusal);
      await owner.kill();
      while ((await hosted()).length > 0);
      await worker.echo("taken");
      expect(await worker.callShown("taken/k", hi)).toEqual(hiShown);
    });

    test("take their types along when they stop [§8.100]", async () => {
      const worker = await typescript();
      await worker.echo("ts-echo");
      await worker.runtime.stop();
      while ((await hosted()).length > 0);
      await python({ kind: "echo", type: "ts-echo" });
    });

    test("send all that was published before they stop [§8.98]", async () => {
      const collecting = await python({ kind: "collector", type: "collector", subscriptions: [{ topicType: "news" }] });
      const worker = await typescript();
      for (let count = 0; count < 200; count++) await worker.publish("news/k", MyMessage({ content: `${count}` }));
      await worker.runtime.stop();
      for (let count = 0; count < 200; count++) {
        expect((await collecting.next("received")).message).toEqual({ content: `${count}` });
      }
    });

    test("get nothing more of a subscription that they removed, though the host may not know how [§8.35]", async () => {
      const worker = await typescript();
      await worker.collect("ts-collector", "kept");
      const removed = new TypeSubscription("removed", "ts-collector");
      await worker.runtime.addSubscription(removed);
      await worker.publish("removed/before", hi);
      await worker.received("ts-collector/before");
      await worker.runtime.removeSubscription(removed.id);
      await worker.publish("removed/after", hi);
      await worker.publish("kept/after", hi);
      expect(await worker.received("ts-collector/after")).toMatchObject({ topic: "kept/after" });
    });

    test("do not wait longer than they want for an answer that the host will never send [§8.90]", async () => {
      expect(recordedOfPythonHost(generation, "unknown-target-type").observed).toMatchObject({ caller: "no answer" });
      const worker = await typescript();
      await expect(worker.call("nobody/k", hi, { timeoutMs: 50 })).rejects.toBeInstanceOf(TimedOutError);
      const aborting = new AbortController();
      const call = expect(worker.call("nobody/k", hi, { signal: aborting.signal })).rejects.toMatchObject({
        code: "cancelled",
      });
      aborting.abort();
      await call;
      expect(worker.runtime.pendingCallsCount).toBe(0);
    });

    test("each get their own answer, though the host confuses calls of equal ids", async () => {
      expect(recordedOfPythonHost(generation, "two-callers-with-equal-request-ids").observed).toMatchObject({
        "first caller": "no answer",
      });
      const target = await python({ kind: "held", type: "held" });
      const answers = [];
      for (const name of ["first", "second"]) {
        const caller = await typescript({ types: [MyMessage] });
        answers.push(caller.call("held/k", MyMessage({ content: name })));
        await target.next("received", { agent: "held/k" });
      }
      target.send({ cmd: "release", agent: "held/k", prefix: "to ", count: 2 });
      expect(await Promise.all(answers)).toEqual([{ content: "to first" }, { content: "to second" }]);
    });

    test("refuse a message over their limit alone, and go on [§8.103]", async () => {
      const echo = await python({ kind: "echo", type: "echo" });
      const worker = await typescript({ types: [MyMessage] });
      const large = MyMessage({ content: "x".repeat(fourMiB) });
      await expect(worker.call("echo/k", large)).rejects.toMatchObject({ code: "message-too-large" });
      expect(await worker.call("echo/k", hi)).toEqual(hi);
      await echo.next("received");
      expect(echo.eventsNamed("received")).toHaveLength(1);
    });

    test("reject what waits when the host throws them out over a message too large for it [§8.91]", async () => {
      const target = await python({ kind: "held", type: "held" });
      const worker = await typescript({ types: [MyMessage], stockHostMaxBytes: 0, reconnect: false });
      const waiting = expect(worker.call("held/k", hi)).rejects.toBeInstanceOf(UndeliverableException);
      await target.next("received");
      const large = worker.call("held/k", MyMessage({ content: "x".repeat(fourMiB) }));
      await expect(large).rejects.toBeInstanceOf(UndeliverableException);
      await waiting;
      expect(await worker.runtime.closed).toMatchObject({ by: "lost" });
    });

    test("come back when the host does, with what they serve [§8.101]", async () => {
      const worker = await typescript();
      await worker.echo("ts-echo");
      await worker.collect("ts-collector", "news");
      await host.peer.kill();
      await until(worker.runtime, "waiting");
      await worker.publish("news/meanwhile", hi);
      host = await startPythonHost(generation, { address: host.address });
      opened.use(host.peer);
      expect(await worker.received("ts-collector/meanwhile")).toMatchObject(hiShown);
      expect(await hosted()).toEqual(["ts-collector", "ts-echo"]);
      expect(await callFrom(await python(), "ts-echo/k", hiShown)).toMatchObject(hiShown);
    });

    test("reject what waits when the host is killed with -9, and stop in peace [§8.91] [§8.104]", async () => {
      const target = await python({ kind: "held", type: "held" });
      const worker = await typescript({ reconnect: false });
      const waiting = expect(worker.call("held/k", hi)).rejects.toBeInstanceOf(UndeliverableException);
      await target.next("received");
      await host.peer.kill();
      await waiting;
      expect(await worker.runtime.closed).toMatchObject({ by: "lost" });
      await expect(worker.call("held/k", hi)).rejects.toThrow();
      await worker.runtime.stop();
    });

    test("say clearly when there is no host [§8.105]", async () => {
      await host.peer.kill();
      const starting = TypeScriptWorker.start(host.address, { startTimeoutMs: 5_000 });
      await expect(starting).rejects.toMatchObject({ message: expect.stringContaining(host.address) });
    });
  });
}
