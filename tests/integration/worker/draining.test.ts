import { describe, expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { startRig, type Transport } from "../../support/worker/worker-rig.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("a", "k");
const shuttingDown = {
  error: "The worker is shutting down.",
  metadata: { agerrortype: "UndeliverableException", agerrorcode: "shutting-down" },
};
const notHandled = { ...shuttingDown, metadata: { ...shuttingDown.metadata, agnothandled: "1" } };

function knows(worker: WorkerRuntime): WorkerRuntime {
  worker.addMessageSerializer([MyMessage, Reply]);
  return worker;
}

describe("a worker that drains", () => {
  test.each([
    ["tells an announced host of what it does not take", true],
    ["tells a stock host nothing new", false],
  ])("%s", async (_name, isTroupe) => {
    await using host = await new ScriptedHost().listen();
    host.isTroupe = isTroupe;
    const [worker, channel] = await host.worker({ drainTimeoutMs: 20 });
    const running = new Gate();
    await knows(worker).registerFactory(
      "a",
      () =>
        new FunctionAgent(() => {
          running.open();
          return new Promise(() => {});
        }),
    );
    channel.send(requestFrame("a/k", { requestId: "h1" }));
    await running.opened;
    const stopped = worker.stop();
    if (isTroupe) expect(await next(channel, "leaving")).toEqual({ kind: "leaving", graceMs: 20 });
    channel.send(requestFrame("a/k", { requestId: "h2" }));
    const second = await next(channel, "response");
    expect(second).toEqual(responseFrame("h2", isTroupe ? notHandled : shuttingDown));
    expect(await next(channel, "response")).toEqual(responseFrame("h1", shuttingDown));
    await stopped;
  });

  test.each<Transport>(["memory", "gRPC"])(
    "leaves its types to a successor at once, and its handlers still reach their own agents, over %s",
    async (transport) => {
      await using rig = await startRig(transport);
      const old = knows(await rig.worker({ drainTimeoutMs: 60_000 }));
      const successor = knows(await rig.worker());
      const caller = knows(await rig.worker());
      const [running, release] = [new Gate(), new Gate()];
      await old.registerFactory("helper", () => new FunctionAgent(() => Reply({ content: "old helper" })));
      await old.registerFactory(
        "a",
        () =>
          new FunctionAgent(async (_message, _context, { id, runtime }) => {
            running.open();
            await release.opened;
            return runtime.sendMessage(message, new AgentId("helper", "k"), { sender: id });
          }),
      );
      const first = caller.sendMessage(message, target);
      await running.opened;
      const waiting = ["helper", "a"].map((type) =>
        successor.registerFactory(type, () => new FunctionAgent(() => Reply({ content: `new ${type}` })), {
          whenTaken: "wait",
        }),
      );
      const stopped = old.stop();
      await Promise.all(waiting);
      expect(await caller.sendMessage(message, target, { waitForTarget: 60_000 })).toMatchObject({ content: "new a" });
      release.open();
      expect(await first).toMatchObject({ content: "old helper" });
      await stopped;
      expect(await caller.sendMessage(message, target)).toMatchObject({ content: "new a" });
    },
  );
});

describe("the caller of a worker that drains", () => {
  /** What the caller gets when its target's worker answers with this. */
  async function outcomeOf(answer: Parameters<typeof responseFrame>[1]): Promise<unknown> {
    await using host = await new ScriptedHost().listen();
    const [caller, channel] = await host.worker();
    const outcome = knows(caller)
      .sendMessage(message, target)
      .catch((error: unknown) => error);
    channel.send(responseFrame((await next(channel, "request")).requestId, answer));
    return await outcome;
  }

  test("learns that its call was not taken, by whom, and that it may send it again", async () => {
    const error = await outcomeOf(notHandled);
    expect(error).toMatchObject({ name: "UndeliverableException", code: "shutting-down", notHandled: true });
    expect(String(error)).toContain("The worker of a/k is shutting down. It did not take the call. Send it again;");
  });

  test("learns that its call may have been handled, by whom, and what to mind", async () => {
    const error = await outcomeOf(shuttingDown);
    expect(error).toMatchObject({ name: "UndeliverableException", code: "shutting-down" });
    expect(error).not.toHaveProperty("notHandled");
    expect(String(error)).toContain("The worker of a/k is shutting down and waits no longer for the handler.");
    expect(String(error)).toContain("The call may have been handled: send it again only if that does no harm.");
  });

  test.each([
    ["a worker that left before it was sent the call", "Client for agent type a disconnected.", "disconnected"],
    ["a host that stops", "Host is shutting down.", "shutting-down"],
  ])("learns the same of %s", async (_who, error, code) => {
    const metadata = { agerrortype: "UndeliverableException", agerrorcode: code };
    const taken = await outcomeOf({ error, metadata });
    expect(String(taken)).toContain("may have been handled");
    const notTaken = await outcomeOf({ error, metadata: { ...metadata, agnothandled: "1" } });
    expect(notTaken).toMatchObject({ code, notHandled: true });
    expect(String(notTaken)).toMatch(/before it got the call|did not take the call/);
  });

  test.each([notHandled, { ...notHandled, error: "Client for agent type a disconnected." }])(
    "is sent again with waitForTarget when it was not taken (%o)",
    async (answer) => {
      await using host = await new ScriptedHost().listen();
      const [caller, channel] = await host.worker();
      const call = knows(caller).sendMessage(message, target, { waitForTarget: 60_000 });
      channel.send(responseFrame((await next(channel, "request")).requestId, answer));
      channel.send(responseFrame((await next(channel, "request")).requestId));
      expect(await call).toBeUndefined();
    },
  );

  test("is not sent again with waitForTarget when it may have been handled", async () => {
    await using host = await new ScriptedHost().listen();
    const [caller, channel] = await host.worker();
    const call = knows(caller).sendMessage(message, target, { waitForTarget: 60_000 });
    channel.send(responseFrame((await next(channel, "request")).requestId, shuttingDown));
    await expect(call).rejects.toMatchObject({ code: "shutting-down" });
    expect(channel.received.rest).toEqual([]);
  });

  test("does not take the failure of a handler's own call for its own", async () => {
    await using rig = await startRig();
    const worker = knows(await rig.worker());
    const caller = knows(await rig.worker());
    await worker.registerFactory("a", () => {
      return new FunctionAgent((_message, _context, agent) =>
        agent.runtime.sendMessage(message, new AgentId("b", "k")),
      );
    });
    const error = await caller.sendMessage(message, target).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "undeliverable", message: expect.stringContaining("Agent type b not found.") });
    expect(error).not.toHaveProperty("notHandled");
  });
});
