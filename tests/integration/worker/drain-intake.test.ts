import { describe, expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { openStage, settled } from "../../support/worker/stage.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const message = MyMessage({ content: "q" });
const shuttingDown = { agerrortype: "UndeliverableException", agerrorcode: "shutting-down" };
const notHandled = { error: "The worker is shutting down.", metadata: { ...shuttingDown, agnothandled: "1" } };
/** An agent of another worker that serves the same type. */
const foreign = { type: "a", key: "elsewhere" };

function knows(worker: WorkerRuntime): WorkerRuntime {
  worker.addMessageSerializer([MyMessage, Reply]);
  return worker;
}

/** An agent that notes what its handler gets, and whose first message takes until the gate opens. */
async function serving(worker: WorkerRuntime) {
  const [running, release] = [new Gate(), new Gate()];
  const seen: string[] = [];
  const handle = async (_message: unknown, _context: unknown, { id }: FunctionAgent) => {
    seen.push(id.key);
    running.open();
    await release.opened;
    return Reply({ content: "done" });
  };
  await knows(worker).registerFactory("a", () => new FunctionAgent(handle));
  return { running, release, seen };
}

describe("a worker that drains", () => {
  test("does not take the calls of another worker's agents for its own, though they are of a type that it serves", async () => {
    await using host = await new ScriptedHost().listen();
    host.isTroupe = true;
    const [worker, channel] = await host.worker({ drainTimeoutMs: 60_000 });
    const { running, release, seen } = await serving(worker);
    channel.send(requestFrame("a/first", { requestId: "h1" }));
    await running.opened;
    const stopped = worker.stop();
    await next(channel, "leaving");
    channel.send(requestFrame("a/second", { requestId: "h2", source: foreign }));
    expect(await next(channel, "response")).toEqual(responseFrame("h2", notHandled));
    release.open();
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", error: "" });
    await stopped;
    expect(seen).toEqual(["first"]);
  });

  test("starts no handler whose answer can't leave, and says which one it gives up", async () => {
    await using host = await new ScriptedHost().listen();
    host.isTroupe = true;
    const [worker, channel] = await host.worker({ drainTimeoutMs: 0, halfCloseWaitMs: 60_000 });
    const { running, seen } = await serving(worker);
    channel.send(requestFrame("a/first", { requestId: "h1" }));
    await running.opened;
    const stopped = worker.stop();
    await channel.halfClosed;
    channel.send(requestFrame("a/second", { requestId: "h2", source: foreign }));
    channel.send(requestFrame("a/third", { requestId: "h3" }));
    await settled();
    channel.stream.finish({ code: 0, details: "" });
    await stopped;
    expect(seen).toEqual(["first"]);
    expect(worker.counters().unsentAnswers).toBe(0);
    expect(host.logger.texts("warn")).toEqual(["The worker stops. It gives up 1 handler: a/first."]);
  });

  test("starts no handler of its own call after it has given its handlers up", async () => {
    await using host = await new ScriptedHost().listen();
    const [worker, channel] = await host.worker({ drainTimeoutMs: 0, halfCloseWaitMs: 60_000 });
    const { running, seen } = await serving(worker);
    channel.send(requestFrame("a/first", { requestId: "h1" }));
    await running.opened;
    const own = worker.sendMessage(message, new AgentId("a", "own"), { sender: new AgentId("a", "first") });
    const ended = expect(own).rejects.toMatchObject({ code: "shutting-down" });
    const { source, target } = await next(channel, "request");
    const stopped = worker.stop();
    // The answer to the first call is what the worker sends when it gives its handlers up.
    expect(await next(channel, "response")).toMatchObject({ requestId: "h1", metadata: shuttingDown });
    channel.send(requestFrame("", { requestId: "h2", source, target }));
    await ended;
    await channel.halfClosed;
    await settled();
    channel.stream.finish({ code: 0, details: "" });
    await stopped;
    expect(seen).toEqual(["first"]);
  });

  test.each<Transport>(["memory", "gRPC"])(
    "reaches its successor with the calls that its handlers make without a sender, over %s",
    async (transport) => {
      await using rig = await startRig(transport);
      const old = knows(await rig.worker({ drainTimeoutMs: 60_000 }));
      const successor = knows(await rig.worker());
      const caller = knows(await rig.worker());
      const [running, release] = [new Gate(), new Gate()];
      const helper = new AgentId("helper", "k");
      await old.registerFactory("helper", () => new FunctionAgent(() => Reply({ content: "old helper" })));
      const relay = async (_message: unknown, _context: unknown, { runtime }: FunctionAgent) => {
        running.open();
        await release.opened;
        return runtime.sendMessage(message, helper);
      };
      await old.registerFactory("a", () => new FunctionAgent(relay));
      const first = caller.sendMessage(message, new AgentId("a", "k"));
      await running.opened;
      const taken = successor.registerFactory(
        "helper",
        () => new FunctionAgent(() => Reply({ content: "new helper" })),
        {
          whenTaken: "wait",
        },
      );
      const stopped = old.stop();
      await taken;
      release.open();
      expect(await first).toMatchObject({ content: "new helper" });
      await stopped;
      expect(await caller.sendMessage(message, helper)).toMatchObject({ content: "new helper" });
    },
  );
});

test("a worker starts no handler on a connection that it has left for another host, since the answer could not leave", async () => {
  await using stage = await openStage({ halfCloseWaitMs: 60_000 });
  const { host, clock, worker } = stage;
  host.endsChannels = false;
  const { seen } = await serving(worker);
  await worker.start();
  const channel = await host.channels.take();
  channel.send({ kind: "leaving", graceMs: 0 });
  await settled();
  clock.advance(1_000);
  await channel.halfClosed;
  channel.send(requestFrame("a/late", { requestId: "h1" }));
  await settled();
  expect(seen).toEqual([]);
  expect(host.logger.texts("warn")).toEqual([]);
});
