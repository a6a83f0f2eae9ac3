import { connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, type GrpcWorkerAgentRuntimeOptions } from "../../../src/grpc/index.ts";
import type { Frame } from "../../../src/protocol/index.ts";
import { Gate } from "../../support/gate.ts";
import { type RawChannel, RawGrpcHost } from "../../support/raw-grpc-host.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { jsonPayload } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("b", "k");
const topic = new TopicId("t", "s");

async function openWorker(address: string, options: GrpcWorkerAgentRuntimeOptions = {}) {
  const worker = new GrpcWorkerAgentRuntime(address, {
    ...{ logger: new RecordingLogger(), halfCloseWaitMs: 20, controlChannel: "when-needed" },
    ...options,
  });
  worker.addMessageSerializer([MyMessage, Reply]);
  return worker;
}

async function nextRequest(channel: RawChannel): Promise<Extract<Frame, { readonly kind: "request" }>> {
  const frame = await channel.received.take();
  if (frame.kind !== "request") throw new Error(`a ${frame.kind} came`);
  return frame;
}

function answer(channel: RawChannel, requestId: string): void {
  channel.send({ kind: "response", requestId, payload: undefined, error: "", metadata: {} });
}

/** The ids of calls of one method, with the place of their connection. */
function registrations(host: RawGrpcHost, method: string): number[] {
  return host.calls
    .filter((call) => call.method === method)
    .map(({ session }) => (session === undefined ? -1 : host.sessions.indexOf(session)));
}

test("after a GOAWAY a worker registers and subscribes over a new connection", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = await openWorker(host.address);
  await worker.start();
  const first = await host.channels.take();
  // Something runs on the old connection, so that it stays.
  const pending = worker.sendMessage(message, target);
  const { requestId } = await nextRequest(first);
  host.sessions[0]?.goaway(0);
  await host.channels.take();
  await worker.registerFactory("late", () => new FunctionAgent());
  await worker.addSubscription(new TypeSubscription("t", "late"));
  expect(registrations(host, "RegisterAgent")).toEqual([1]);
  expect(registrations(host, "AddSubscription")).toEqual([1]);
  answer(first, requestId);
  await pending;
});

test("after a second GOAWAY, while the first connection still runs, registrations go over the newest one", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = await openWorker(host.address);
  await worker.start();
  const first = await host.channels.take();
  const pending = worker.sendMessage(message, target);
  const { requestId } = await nextRequest(first);
  for (const place of [0, 1]) {
    host.sessions[place]?.goaway(0);
    const { clientId } = await host.channels.take();
    await connectedAs(worker, clientId);
  }
  await worker.registerFactory("late", () => new FunctionAgent());
  expect(registrations(host, "RegisterAgent")).toEqual([2]);
  expect(host.calls.find(({ method }) => method === "RegisterAgent")?.clientId).toBe(first.clientId);
  answer(first, requestId);
  await pending;
});

test("calls under way at a GOAWAY get their answers on the old connection; new calls and events go over the new one", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = await openWorker(host.address);
  const asked = new Gate();
  const release = new Gate();
  await worker.registerFactory(
    "a",
    () =>
      new FunctionAgent(async () => {
        asked.open();
        await release.opened;
        return Reply({ content: "r" });
      }),
  );
  await worker.start();
  const first = await host.channels.take();
  const old = worker.sendMessage(message, target);
  const { requestId } = await nextRequest(first);
  const payload = jsonPayload("MyMessage", { content: "x" });
  const source = undefined;
  first.send({ kind: "request", requestId: "h1", source, target: { type: "a", key: "k" }, payload, metadata: {} });
  await asked.opened;
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await connectedAs(worker, second.clientId);
  const late = worker.sendMessage(message, target);
  await worker.publishMessage(message, topic);
  const { requestId: lateId } = await nextRequest(second);
  expect((await second.received.take()).kind).toBe("event");
  answer(second, lateId);
  await late;
  answer(first, requestId);
  await old;
  release.open();
  expect(await first.received.take()).toMatchObject({ kind: "response", requestId: "h1", error: "" });
  // When nothing runs on the old connection any more, the worker leaves it and registers anew on the new one.
  await first.ended;
  await until(() => registrations(host, "RegisterAgent").length === 2);
  expect(registrations(host, "RegisterAgent")).toEqual([0, 1]);
  expect(worker.counters()).toMatchObject({ lostEvents: 0, unconfirmedEvents: 0, reconnections: 0 });
});

test("after a GOAWAY a host that vanishes without a word is noticed, and calls that wait there end", async () => {
  await using host = await new RawGrpcHost().listen();
  await using line = await freezableLine(host.address);
  const worker = await openWorker(line.address, { reconnect: false, keepAliveMs: 30, keepAliveTimeoutMs: 100 });
  await worker.start();
  const first = await host.channels.take();
  const waiting = worker.sendMessage(message, target).catch((error: unknown) => error);
  await nextRequest(first);
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await connectedAs(worker, second.clientId);
  line.freeze();
  expect(await worker.closed).toMatchObject({ by: "lost", reason: expect.stringContaining("no sign of life") });
  expect(await waiting).toMatchObject({ code: "disconnected" });
  await expect(worker.sendMessage(message, target)).rejects.toMatchObject({ code: "disconnected" });
  await worker.stop();
});

test("a worker whose host sends GOAWAY and then is gone is back when the host is", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = await openWorker(host.address, { reconnect: { initialDelayMs: 1, maxDelayMs: 1 } });
  await worker.registerFactory("a", () => new FunctionAgent());
  await worker.start();
  const first = await host.channels.take();
  const waiting = worker.sendMessage(message, target).catch((error: unknown) => error);
  await nextRequest(first);
  host.onChannel = () => ({ http: 502 });
  host.sessions[0]?.goaway(0);
  await host.channels.take();
  host.sessions[0]?.destroy();
  expect(await waiting).toMatchObject({ code: "disconnected" });
  const back = new Gate<RawChannel>();
  host.onChannel = (channel) => {
    back.open(channel);
    return "take";
  };
  const channel = await back.opened;
  await connectedAs(worker, channel.clientId);
  const again = worker.sendMessage(message, target);
  answer(channel, (await nextRequest(channel)).requestId);
  await again;
});

test("a call on its way to a connection that the worker leaves after a GOAWAY is not handled, and its host knows that", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = await openWorker(host.address);
  const handled: unknown[] = [];
  await worker.registerFactory("a", () => new FunctionAgent((message) => void handled.push(message)));
  await worker.start();
  const first = await host.channels.take();
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await first.halfClosed;
  expect(first.frames).toEqual([{ kind: "leaving", graceMs: 0 }]);
  const source = undefined;
  const call = (content: string) => ({
    ...{ kind: "request", requestId: content, source, target: { type: "a", key: "k" }, metadata: {} },
    payload: jsonPayload("MyMessage", { content }),
  });
  first.send(call("on its way") as Frame);
  await until(() => registrations(host, "RegisterAgent").length === 2);
  second.send(call("later") as Frame);
  expect(await second.received.take()).toMatchObject({ kind: "response", requestId: "later", error: "" });
  expect(handled).toEqual([{ content: "later" }]);
});

async function connectedAs(worker: GrpcWorkerAgentRuntime, clientId: string): Promise<void> {
  for await (const status of worker.status()) if (status.at === "connected" && status.clientId === clientId) return;
}

/** Looks once a turn of the event loop. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Forwards bytes to an address until it is frozen: then nothing passes, and nothing ends. */
async function freezableLine(target: string) {
  let isFrozen = false;
  const sockets: Socket[] = [];
  const [host = "", port = ""] = target.split(":");
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.push(from);
      from.on("error", () => undefined);
      from.on("data", (bytes) => !isFrozen && to.write(bytes));
      from.on("close", () => !isFrozen && to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has an address");
  return {
    address: `127.0.0.1:${address.port}`,
    freeze: () => {
      isFrozen = true;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
