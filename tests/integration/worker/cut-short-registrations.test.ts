import { describe, expect, test } from "vitest";
import { TypeSubscription } from "../../../src/core/index.ts";
import { emptyMessage, method } from "../../../src/protocol/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost, type UnaryCall } from "../../support/worker/scripted-host.ts";
import { settled } from "../../support/worker/stage.ts";

const subscriptions = () => [new TypeSubscription("news", "a")];

/** Holds the answer to the registration of agent type `a` until the gate opens. */
function holding() {
  const [asked, release] = [new Gate(), new Gate()];
  const script = async ({ method: name, request }: UnaryCall) => {
    if (name === method.registerAgent && Buffer.from(request).toString("latin1").endsWith("a")) {
      asked.open();
      await release.opened;
    }
    return emptyMessage;
  };
  return { asked, release, script };
}

describe("a start that is cut short", () => {
  test.each(["a stop", "its signal"])(
    "by %s leaves no subscription at the host: it sends none after the end of its channel",
    async (by) => {
      const { asked, release, script } = holding();
      await using host = await new ScriptedHost(script).listen();
      const worker = host.newWorker({ halfCloseWaitMs: 60_000 });
      await worker.registerFactory("a", () => new FunctionAgent(), { subscriptions: subscriptions() });
      const aborting = new AbortController();
      const started = worker.start({ signal: aborting.signal }).catch((error: unknown) => error);
      await asked.opened;
      const channel = await host.channels.take();
      const stopped = by === "a stop" ? worker.stop() : undefined;
      aborting.abort();
      await channel.halfClosed;
      release.open();
      await settled();
      await settled();
      channel.stream.finish({ code: 0, details: "" });
      await stopped;
      expect(await started).toMatchObject({ code: by === "a stop" ? "shutting-down" : "cancelled" });
      expect(host.methods).not.toContain(method.addSubscription);
    },
  );
});

test("a start that a stop cuts short in its first round trip registers nothing after the end of its channel", async () => {
  await using host = await new ScriptedHost().listen();
  const worker = host.newWorker({ halfCloseWaitMs: 60_000 });
  await worker.registerFactory("a", () => new FunctionAgent());
  const started = worker.start().catch((error: unknown) => error);
  const channel = await host.channels.take();
  const stopped = worker.stop();
  await channel.halfClosed;
  await settled();
  await settled();
  channel.stream.finish({ code: 0, details: "" });
  await stopped;
  expect(await started).toMatchObject({ code: "shutting-down" });
  expect(host.methods).not.toContain(method.registerAgent);
});

describe("a registration", () => {
  test("that a stop cuts short fails as shutting down, and sends nothing after the notice that the worker leaves", async () => {
    const { asked, release, script } = holding();
    await using host = await new ScriptedHost(script).listen();
    host.isTroupe = true;
    const [worker, channel] = await host.worker({ drainTimeoutMs: 60_000 });
    worker.addMessageSerializer(MyMessage);
    const [running, finish] = [new Gate(), new Gate()];
    const busy = new FunctionAgent(() => {
      running.open();
      return finish.opened;
    });
    await worker.registerFactory("busy", () => busy);
    channel.send(requestFrame("busy/k"));
    await running.opened;
    const registered = worker
      .registerFactory("a", () => new FunctionAgent(), { subscriptions: subscriptions() })
      .catch((error: unknown) => error);
    await asked.opened;
    const stopped = worker.stop();
    await next(channel, "leaving");
    release.open();
    expect(await registered).toMatchObject({ name: "UndeliverableException", code: "shutting-down" });
    finish.open();
    await stopped;
    expect(host.methods).not.toContain(method.addSubscription);
  });

  test("under way makes a worker that has nothing else tell the host that it leaves", async () => {
    const { asked, release, script } = holding();
    await using host = await new ScriptedHost(script).listen();
    host.isTroupe = true;
    const [worker, channel] = await host.worker();
    const registered = worker.registerFactory("a", () => new FunctionAgent()).catch((error: unknown) => error);
    await asked.opened;
    const stopped = worker.stop();
    await next(channel, "leaving");
    release.open();
    expect(await registered).toMatchObject({ code: "shutting-down" });
    await stopped;
  });

  test("during a drain says that the worker stops, and when to register again", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 60_000 });
    worker.addMessageSerializer(MyMessage);
    const [running, finish] = [new Gate(), new Gate()];
    const subscribe = async () => {
      running.open();
      await finish.opened;
      return worker.addSubscription(new TypeSubscription("news", "busy"));
    };
    await worker.registerFactory("busy", () => new FunctionAgent(subscribe));
    channel.send(requestFrame("busy/k"));
    await running.opened;
    const stopped = worker.stop();
    finish.open();
    const { error, metadata } = await next(channel, "response");
    expect(error).toBe("The worker is stopping and registers nothing more. Register again after its next start.");
    expect(metadata).toMatchObject({ agerrorcode: "shutting-down" });
    await stopped;
  });
});
