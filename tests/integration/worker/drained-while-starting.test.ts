import { expect, test } from "vitest";
import { emptyMessage, method } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { Gate } from "../../support/gate.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { callTo, leave, type PlacingHost, placingHost, settled, takeShort } from "../../support/worker/placing-host.ts";

/** A worker that starts. Its host answers each registration when the gate opens, and refuses it if `refuses`. */
async function startingAt(host: PlacingHost, { refuses = false } = {}) {
  const [gate, asked] = [new Gate(), new Gate()];
  host.script = async (call) => {
    if (call.method !== method.registerAgent) return emptyMessage;
    asked.open();
    await gate.opened;
    if (refuses) throw new RpcError(StatusCode.permissionDenied, "not here");
    return emptyMessage;
  };
  const clock = new ManualClock();
  const worker = host.newWorker({ drainTimeoutMs: 60_000, clock });
  host.hurried.push(worker);
  worker.addMessageSerializer([Ask, Reply]);
  await worker.registerFactory("room", () => new FunctionAgent(() => Reply({ content: "x!" })), { shared: true });
  await worker.registerFactory("desk", () => new FunctionAgent(() => Reply({ content: "desk" })));
  const started = worker.start();
  started.catch(() => undefined);
  const channel = await host.channels.take();
  await asked.opened;
  return { worker, clock, channel, gate, started };
}

test("a worker that an operator drains while it starts stops when it has started, within the operator's time", async () => {
  await using host = await placingHost();
  const { worker, clock, channel, gate, started } = await startingAt(host);
  channel.send(callTo("a", "h1"));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  channel.send({ kind: "drain", graceMs: 5_000 });
  channel.send(leave(["a"]));
  expect(await settled(channel)).toEqual(["left a@1"]);
  clock.advance(1_000);
  gate.open();
  await started;
  expect(await channel.received.take()).toEqual({ kind: "leaving-worker", graceMs: 4_000 });
  channel.send(leave([]));
  expect(await worker.closed).toEqual({ by: "drained" });
});

test("a worker that an operator drains while it starts does not start any more when the operator's time is over", async () => {
  await using host = await placingHost();
  const { worker, clock, channel, started } = await startingAt(host);
  channel.send({ kind: "drain", graceMs: 5_000 });
  channel.send({ kind: "drain", graceMs: 8_000 });
  await settled(channel);
  clock.advance(7_999);
  expect(await settled(channel)).toEqual([]);
  clock.advance(1);
  await expect(started).rejects.toMatchObject({
    code: "shutting-down",
    message: expect.stringMatching(/^An operator drained this worker at its host while it started/),
  });
  expect(await worker.closed).toEqual({ by: "drained" });
});

test("a worker that stops can't be started, and says who stops it", async () => {
  await using host = await placingHost();
  const { worker, channel, gate, started } = await startingAt(host);
  gate.open();
  await started;
  channel.send({ kind: "drain", graceMs: 60_000 });
  await channel.received.take();
  await expect(worker.start()).rejects.toMatchObject({
    code: "wrong-state",
    message:
      "Runtime is already running. An operator drained this worker at its host, and it stops. Wait until closed resolves, then start it again.",
  });
  channel.send(leave([]));
  await worker.closed;
});

test("a worker that an operator drains in a start that fails runs on after its next start", async () => {
  await using host = await placingHost();
  const { worker, clock, channel, gate, started } = await startingAt(host, { refuses: true });
  channel.send({ kind: "drain", graceMs: 5_000 });
  await settled(channel);
  gate.open();
  await expect(started).rejects.toThrow("not here");
  host.script = () => emptyMessage;
  await worker.start();
  const next = await host.channels.take();
  clock.advance(5_000);
  expect(await settled(next)).toEqual([]);
  expect(worker.isRunning).toBe(true);
});
