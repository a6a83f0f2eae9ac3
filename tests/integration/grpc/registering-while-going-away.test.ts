import { expect, test } from "vitest";
import { AgentId, TypeSubscription } from "../../../src/core/index.ts";
import type { GrpcWorkerAgentRuntime } from "../../../src/grpc/index.ts";
import { Gate } from "../../support/gate.ts";
import { type RawAnswer, type RawChannel, RawGrpcHost, type RawUnary } from "../../support/raw-grpc-host.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { newMovingWorker } from "../../support/worker/moving-worker.ts";

const message = MyMessage({ content: "q" });
const target = new AgentId("b", "k");
const agent = () => new FunctionAgent();

/** A host that lets the first call about a subject wait. The test gets that call. */
function holding(host: RawGrpcHost, method: string, subject?: string): Promise<RawUnary> {
  const held = new Gate<RawUnary>();
  let isHeld = false;
  host.onCall = (call): RawAnswer => {
    if (!isHeld && call.method === method && (subject ?? call.subject) === call.subject) {
      isHeld = true;
      held.open(call);
      return "wait";
    }
    return call.method === "AreYouThere" ? { grpc: 12 } : "take";
  };
  return held.opened;
}

/** Who registered, under which client id and on which connection, in order. */
function told(host: RawGrpcHost, method: string, subject: string, channels: readonly RawChannel[]): string[] {
  return host.calls
    .filter((call) => call.method === method && call.subject === subject)
    .map(({ clientId, session }) => {
      const client = channels.findIndex((channel) => channel.clientId === clientId);
      return `client ${client} on link ${session === undefined ? -1 : host.sessions.indexOf(session)}`;
    });
}

async function connectedAs(worker: GrpcWorkerAgentRuntime, { clientId }: RawChannel): Promise<void> {
  for await (const status of worker.status()) if (status.at === "connected" && status.clientId === clientId) return;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** A worker on its second connection, after a GOAWAY on the first. A call keeps the first one, whose client id has the registrations. */
async function openMoved(host: RawGrpcHost) {
  const worker = newMovingWorker(host.address);
  await worker.start();
  const first = await host.channels.take();
  const pending = worker.sendMessage(message, target).catch((error: unknown) => error);
  const request = await first.received.take();
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await connectedAs(worker, second);
  const answer = () => {
    if (request.kind === "request")
      first.send({ kind: "response", requestId: request.requestId, payload: undefined, error: "", metadata: {} });
  };
  return { worker, first, second, pending, answer };
}

test("a registration under way at a GOAWAY gets the host's answer, and the host knows the type afterwards", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = newMovingWorker(host.address);
  await worker.start();
  const first = await host.channels.take();
  const held = holding(host, "RegisterAgent", "late");
  const registered = worker.registerFactory("late", agent);
  const call = await held;
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await connectedAs(worker, second);
  call.answer("take");
  await registered;
  await first.ended;
  await until(() => told(host, "RegisterAgent", "late", [first, second]).length === 2);
  expect(told(host, "RegisterAgent", "late", [first, second])).toEqual(["client 0 on link 0", "client 1 on link 1"]);
});

test("a registration that the host refuses after a GOAWAY is not at the host afterwards", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = newMovingWorker(host.address);
  await worker.registerFactory("own", agent);
  await worker.start();
  const first = await host.channels.take();
  const held = holding(host, "RegisterAgent", "late");
  const registered = worker.registerFactory("late", agent).catch((error: unknown) => error);
  const call = await held;
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await connectedAs(worker, second);
  call.answer({ grpc: 7, text: "This worker may not." });
  expect(await registered).toMatchObject({ code: "not-authorized" });
  await until(() => told(host, "RegisterAgent", "own", [first, second]).length === 2);
  await worker.registerFactory("end", agent);
  expect(told(host, "RegisterAgent", "late", [first, second])).toEqual(["client 0 on link 0"]);
});

test("a registration that a GOAWAY turned away goes to the host over the next link", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = newMovingWorker(host.address);
  await worker.start();
  const first = await host.channels.take();
  const held = holding(host, "RegisterAgent", "late");
  const registered = worker.registerFactory("late", agent);
  const call = await held;
  // All streams up to the one before count as taken.
  host.sessions[0]?.goaway(0, call.stream - 2);
  const second = await host.channels.take();
  await registered;
  await first.ended;
  await until(() => told(host, "RegisterAgent", "late", [first, second]).length === 3);
  expect(told(host, "RegisterAgent", "late", [first, second])).toEqual([
    "client 0 on link 0",
    "client 0 on link 1",
    "client 1 on link 1",
  ]);
});

for (const { what, begin, method } of [
  {
    ...{ what: "a registration", method: "RegisterAgent" },
    begin: (worker: GrpcWorkerAgentRuntime) => worker.registerFactory("late", agent),
  },
  {
    ...{ what: "a registration whose subscription waits", method: "AddSubscription" },
    begin: (worker: GrpcWorkerAgentRuntime) =>
      worker.registerFactory("late", agent, { subscriptions: [new TypeSubscription("t", "late", "late")] }),
  },
  {
    ...{ what: "an instance", method: "RegisterAgent" },
    begin: (worker: GrpcWorkerAgentRuntime) =>
      worker.registerAgentInstance(new FunctionAgent(), new AgentId("late", "k")),
  },
  {
    ...{ what: "a subscription", method: "AddSubscription" },
    begin: (worker: GrpcWorkerAgentRuntime) => worker.addSubscription(new TypeSubscription("t", "late", "late")),
  },
])
  test(`${what} that fails with the old connection is not registered on the new one`, async () => {
    await using host = await new RawGrpcHost().listen();
    const { worker, first, second, pending } = await openMoved(host);
    await using _ = worker;
    const channels = [first, second];
    await worker.registerFactory("own", agent);
    const held = holding(host, method, "late");
    const begun = begin(worker).catch((error: unknown) => error);
    await held;
    host.sessions[0]?.destroy();
    expect(await begun).toMatchObject({ code: "disconnected" });
    expect(await pending).toMatchObject({ code: "disconnected" });
    await until(() => told(host, "RegisterAgent", "own", channels).length === 2);
    // It waits for the registrations on the new connection.
    await worker.registerFactory("end", agent);
    expect(told(host, "RegisterAgent", "end", channels)).toEqual(["client 1 on link 1"]);
    for (const name of ["RegisterAgent", "AddSubscription"])
      expect(told(host, name, "late", channels).filter((text) => text.startsWith("client 1"))).toEqual([]);
    // The worker has forgotten it, too.
    await begin(worker);
    expect(told(host, method, "late", channels).at(-1)).toBe("client 1 on link 1");
  });

test("a removal under way at a GOAWAY gets the host's answer, and the subscription does not come back", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = newMovingWorker(host.address);
  await worker.registerFactory("own", agent, { subscriptions: [new TypeSubscription("t", "own", "gone")] });
  await worker.start();
  const first = await host.channels.take();
  const held = holding(host, "RemoveSubscription", "gone");
  const removed = worker.removeSubscription("gone");
  const call = await held;
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await connectedAs(worker, second);
  call.answer("take");
  await removed;
  await until(() => told(host, "RegisterAgent", "own", [first, second]).length === 2);
  await worker.registerFactory("end", agent);
  expect(told(host, "AddSubscription", "gone", [first, second])).toEqual(["client 0 on link 0"]);
});

test("a registration that begins while the worker leaves the old connection goes to the new one", async () => {
  await using host = await new RawGrpcHost().listen();
  const { worker, first, second, pending, answer } = await openMoved(host);
  await using _ = worker;
  answer();
  await pending;
  await first.halfClosed;
  await worker.registerFactory("late", agent);
  expect(told(host, "RegisterAgent", "late", [first, second])).toEqual(["client 1 on link 1"]);
});

test("links that go away one after the other while the worker registers anew do not cut a channel in use", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = newMovingWorker(host.address);
  await worker.registerFactory("own", agent);
  await worker.start();
  const channels = [await host.channels.take()];
  // The second connection registers anew, and three links in a row turn its call away.
  host.onCall = (call): RawAnswer => {
    const link = call.session === undefined ? -1 : host.sessions.indexOf(call.session);
    if (call.method !== "RegisterAgent" || link > 3) return call.method === "AreYouThere" ? { grpc: 12 } : "take";
    call.session?.goaway(0, call.stream - 2);
    return "wait";
  };
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  channels.push(second);
  await connectedAs(worker, second);
  const pending = worker.sendMessage(message, target);
  const request = await second.received.take();
  while (channels.length < 5) channels.push(await host.channels.take());
  await until(() => told(host, "RegisterAgent", "own", channels).length === 5);
  expect(told(host, "RegisterAgent", "own", channels)).toEqual([
    "client 0 on link 0",
    "client 1 on link 1",
    "client 1 on link 2",
    "client 1 on link 3",
    "client 1 on link 4",
  ]);
  if (request.kind !== "request") throw new Error("no request came");
  second.send({ kind: "response", requestId: request.requestId, payload: undefined, error: "", metadata: {} });
  await pending;
  await until(() => told(host, "RegisterAgent", "own", channels).length === 6);
  expect(told(host, "RegisterAgent", "own", channels).at(-1)).toBe("client 4 on link 4");
});

test("a worker with nothing to register keeps its channel, when a link goes away while it asks the host", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = newMovingWorker(host.address);
  await worker.start();
  await host.channels.take();
  let asked = 0;
  host.onCall = (call): RawAnswer => {
    const link = call.session === undefined ? -1 : host.sessions.indexOf(call.session);
    if (call.method !== "AreYouThere") return "take";
    // Two questions before messages go over the second connection, and one when the first connection is left.
    if (link === 1) asked += 1;
    if (link !== 1 || asked < 3) return { grpc: 12 };
    call.session?.goaway(0, call.stream - 2);
    return "wait";
  };
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await connectedAs(worker, second);
  const pending = worker.sendMessage(message, target);
  const request = await second.received.take();
  const third = await host.channels.take();
  await connectedAs(worker, third);
  await worker.registerFactory("end", agent);
  if (request.kind !== "request") throw new Error("no request came");
  second.send({ kind: "response", requestId: request.requestId, payload: undefined, error: "", metadata: {} });
  await pending;
  expect(worker.counters().reconnections).toBe(0);
});

test("a worker starts although the first link goes away while it registers", async () => {
  await using host = await new RawGrpcHost().listen();
  await using worker = newMovingWorker(host.address);
  await worker.registerFactory("own", agent);
  host.onCall = (call): RawAnswer => {
    if (call.method === "AreYouThere") return { grpc: 12 };
    if (call.session !== host.sessions[0]) return "take";
    call.session?.goaway(0, call.stream - 2);
    return "wait";
  };
  await worker.start();
  const channels = [await host.channels.take(), await host.channels.take()];
  expect(told(host, "RegisterAgent", "own", channels)).toEqual(["client 0 on link 0", "client 1 on link 1"]);
});

test("a stop while the worker registers anew after a GOAWAY ends, and ends every connection", async () => {
  await using host = await new RawGrpcHost().listen();
  const worker = newMovingWorker(host.address);
  await worker.registerFactory("own", agent);
  await worker.start();
  const first = await host.channels.take();
  const held = holding(host, "RegisterAgent", "own");
  host.sessions[0]?.goaway(0);
  const second = await host.channels.take();
  await held;
  await worker.stop();
  await Promise.all([first.ended, second.ended]);
  expect(await worker.closed).toEqual({ by: "stopped" });
  expect(told(host, "RegisterAgent", "own", [first, second])).toHaveLength(2);
});
