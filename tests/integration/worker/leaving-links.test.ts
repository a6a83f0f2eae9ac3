import { expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { emptyMessage, timeoutOf } from "../../../src/protocol/internal.ts";
import type { ManualClock } from "../../../src/testing/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { FakeDialer, type FakeLink, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { passMs, settled, turns, until } from "../../support/worker/stage.ts";

const message = MyMessage({ content: "q" });
const topic = new TopicId("t", "s");

/** The contents of the events that left on a link. */
function eventsOn(link: FakeLink): string[] {
  return link.sent.flatMap((frame) =>
    frame.kind === "event" ? [JSON.parse(new TextDecoder().decode(frame.event.payload?.data)).content] : [],
  );
}

const event = (worker: WorkerRuntime, content: string) => worker.publishMessage(MyMessage({ content }), topic);

const registrations: readonly (readonly [
  what: string,
  method: string,
  begin: (worker: WorkerRuntime) => Promise<unknown>,
])[] = [
  ["a registration", "RegisterAgent", (worker) => worker.registerFactory("late", () => new FunctionAgent())],
  ["a subscription", "AddSubscription", (worker) => worker.addSubscription(new TypeSubscription("t", "a", "late"))],
  ["a removal", "RemoveSubscription", (worker) => worker.removeSubscription("own")],
];
for (const [what, method, begin] of registrations)
  test(`${what} that the host answers 10 s after a GOAWAY succeeds on the old connection`, async () => {
    const held = new Gate<Uint8Array>();
    let at: "before" | "now" | "held" = "before";
    const dialer = new FakeDialer({
      unary: (_link, name) => {
        if (at !== "now" || !name.endsWith(method)) return undefined;
        at = "held";
        return held.opened;
      },
    });
    await using stage = await openFakeStage(dialer);
    const { worker, clock } = stage;
    await worker.registerFactory("a", () => new FunctionAgent());
    if (method === "RemoveSubscription") await worker.addSubscription(new TypeSubscription("t", "a", "own"));
    at = "now";
    const begun = begin(worker);
    await settled();
    expect(at).toBe("held");
    dialer.link(1).goAway();
    await passMs(clock, 10_000);
    expect(dialer.links).toHaveLength(2);
    expect(dialer.link(1).isOpen).toBe(true);
    held.open(emptyMessage);
    await begun;
    await passMs(clock, 2_000);
    expect(dialer.link(1).isOpen).toBe(false);
  });

test("a registration that waits for the new connection does not fail when the worker leaves the old one at once", async () => {
  await using stage = await openStalled();
  const { worker, clock, dialer, answer } = stage;
  const begun = ["x", "y", "z"].map((type) => worker.registerFactory(type, () => new FunctionAgent()));
  await settled();
  answer.open(emptyMessage);
  await Promise.all(begun);
  await passMs(clock, 2_000);
  expect(dialer.link(1).isOpen).toBe(false);
});

test("a registration does not fail when it begins at the moment at which the worker leaves the old connection", async () => {
  for (let moment = 0; moment < 20; moment += 1) {
    const dialer = new FakeDialer({
      unary: async (_link, name) => {
        if (name.endsWith("RegisterAgent")) await turns(5);
        return emptyMessage;
      },
    });
    await using stage = await openFakeStage(dialer);
    const { worker, clock } = stage;
    const call = worker.sendMessage(message, new AgentId("b", "k"));
    dialer.link(1).goAway();
    await passMs(clock, 1_000);
    const [request] = dialer.link(1).sent;
    if (request?.kind !== "request") throw new Error("no request was sent");
    const { requestId } = request;
    dialer.link(1).say({ kind: "response", requestId, payload: undefined, error: "", metadata: {} });
    await call;
    clock.advance(100);
    for (let turn = 0; turn < moment; turn += 1) await Promise.resolve();
    const begun = worker.registerFactory("late", () => new FunctionAgent());
    await passMs(clock, 2_000);
    await begun;
    expect(dialer.link(1).isOpen).toBe(false);
  }
});

/** A worker whose link goes away, with a new connection on which the host answers once, and then not until the gate opens. */
async function openStalled(options: Parameters<typeof openFakeStage>[1] = {}) {
  const answer = new Gate<Uint8Array>();
  const dialer = new FakeDialer({
    unary: (link) => (link.number === 2 && link.unaryCount === 2 ? answer.opened : undefined),
  });
  const stage = await openFakeStage(dialer, options);
  dialer.link(1).goAway();
  await turns();
  expect(dialer.link(2).unaryCount).toBe(2);
  return { ...stage, [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](), dialer, answer };
}

test("messages leave on the old connection after half of callWaitMs, when the host does not answer on the new one", async () => {
  await using stage = await openStalled();
  const { worker, clock, dialer, answer } = stage;
  await event(worker, "1");
  expect(eventsOn(dialer.link(1))).toEqual([]);
  clock.advance(499);
  await settled();
  expect(eventsOn(dialer.link(1))).toEqual([]);
  clock.advance(1);
  expect(eventsOn(dialer.link(1))).toEqual(["1"]);
  await event(worker, "2");
  expect(eventsOn(dialer.link(1))).toEqual(["1", "2"]);
  // The late answer does not prove any more that the host has these events.
  answer.open(emptyMessage);
  await settled();
  await event(worker, "3");
  expect(eventsOn(dialer.link(1))).toEqual(["1", "2", "3"]);
  // The next attempt succeeds.
  await passMs(clock, 2_000);
  await event(worker, "4");
  expect(eventsOn(dialer.link(3))).toEqual(["4"]);
});

test("a worker that sends nothing meanwhile takes the late answer of a slow host on the new connection", async () => {
  await using stage = await openStalled();
  const { worker, clock, dialer, answer } = stage;
  clock.advance(5_000);
  answer.open(emptyMessage);
  await passMs(clock, 2_000);
  await event(worker, "1");
  expect(eventsOn(dialer.link(2))).toEqual(["1"]);
  expect(dialer.links).toHaveLength(2);
});

test("a worker that sends without pause gets to the new connection, although its host takes 3 s to answer", async () => {
  let clock: ManualClock | undefined;
  const slowly = () => new Promise<Uint8Array>((resolve) => clock?.setTimer(3_000, () => resolve(emptyMessage)));
  const dialer = new FakeDialer({ unary: (link) => (link.number > 1 ? slowly() : undefined) });
  await using stage = await openFakeStage(dialer);
  clock = stage.clock;
  dialer.link(1).goAway();
  const sent: string[] = [];
  for (let number = 0; number < 600; number += 1) {
    sent.push(`${number}`);
    await event(stage.worker, `${number}`);
    await settled();
    clock.advance(100);
  }
  await passMs(clock, 10_000);
  expect(eventsOn(dialer.link(1)).length).toBeLessThan(sent.length);
  expect(dialer.links.flatMap(eventsOn)).toEqual(sent);
});

test("events that may not wait for a host are not refused while a worker changes its connection", async () => {
  await using stage = await openStalled({ whileDisconnected: { events: "reject" } });
  const { worker, dialer, answer } = stage;
  await event(worker, "1");
  answer.open(emptyMessage);
  await settled();
  await settled();
  expect(eventsOn(dialer.link(1))).toEqual([]);
  expect(eventsOn(dialer.link(2))).toEqual(["1"]);
});

test("what the host says meanwhile does not make messages leave before the change of the connection is over", async () => {
  const answer = new Gate<Uint8Array>();
  const dialer = new FakeDialer({
    headers: undefined,
    unary: (link) => (link.number === 2 && link.unaryCount === 2 ? answer.opened : undefined),
  });
  await using stage = await openFakeStage(dialer);
  const { worker } = stage;
  dialer.link(1).goAway();
  await turns();
  await event(worker, "1");
  // The first message shows that the host has accepted the channel.
  dialer.link(1).say({ kind: "response", requestId: "unknown", payload: undefined, error: "", metadata: {} });
  await event(worker, "2");
  expect(eventsOn(dialer.link(1))).toEqual([]);
  answer.open(emptyMessage);
  await settled();
  await settled();
  expect(eventsOn(dialer.link(2))).toEqual(["1", "2"]);
});

test("an old connection that ends while messages wait loses none of them", async () => {
  await using stage = await openStalled();
  const { worker, clock, dialer } = stage;
  await event(worker, "1");
  dialer.link(1).end({ by: "cancelled" });
  await passMs(clock, 2_000);
  await until(worker, "connected");
  await settled();
  expect(eventsOn(dialer.link(1))).toEqual([]);
  expect(dialer.links.flatMap(eventsOn)).toEqual(["1"]);
});

test("a stop while messages wait for a new connection sends them on the old one", async () => {
  await using stage = await openStalled();
  const { worker, clock, dialer } = stage;
  await event(worker, "1");
  const stopped = worker.stop();
  await passMs(clock, 2_000);
  await stopped;
  expect(dialer.links.flatMap(eventsOn)).toEqual(["1"]);
  expect(eventsOn(dialer.link(1))).toEqual(["1"]);
  expect(dialer.openCount).toBe(0);
});

test("a new connection that the host refuses leaves the old one in use", async () => {
  const dialer = new FakeDialer({
    unary: (link) => {
      if (link.number !== 2) return undefined;
      setImmediate(() => {
        const status = { code: StatusCode.permissionDenied, details: "No." };
        link.end({ by: "status", status, origin: "peer" });
      });
      throw new RpcError(StatusCode.unavailable, "No.", { origin: "proxy" });
    },
    headers: undefined,
  });
  await using stage = await openFakeStage(dialer);
  const { worker, clock } = stage;
  dialer.link(1).goAway();
  await passMs(clock, 50);
  await event(worker, "1");
  expect(eventsOn(dialer.link(1))).toEqual(["1"]);
  await passMs(clock, 30_000);
  await event(worker, "2");
  expect(eventsOn(dialer.link(dialer.links.length))).toEqual(["2"]);
});

test("a call on a link that leaves gets its answer, although the host takes no new connection for a while", async () => {
  const dialer = new FakeDialer({
    ready: async ({ number }) => {
      if (number > 1) throw new Error("refused");
    },
  });
  await using stage = await openFakeStage(dialer, { keepAliveMs: 1_000, keepAliveTimeoutMs: 500 });
  const { worker, clock } = stage;
  const answered = expect(worker.sendMessage(message, new AgentId("b", "k"))).resolves.toBeUndefined();
  await settled();
  dialer.link(1).goAway();
  for (let step = 0; step < 50; step += 1) {
    await settled();
    clock.advance(100);
  }
  const [request] = dialer.link(1).sent;
  if (request?.kind !== "request") throw new Error("no request was sent");
  const { requestId } = request;
  dialer.link(1).say({ kind: "response", requestId, payload: undefined, error: "", metadata: {} });
  await answered;
});

test("a worker returns to a host after a minute at most, although the host says it leaves for days", async () => {
  const dialer = new FakeDialer();
  await using stage = await openFakeStage(dialer);
  const { worker, clock } = stage;
  await settled();
  dialer.link(1).say({ kind: "leaving", graceMs: 4_294_967_295 });
  expect(await until(worker, "waiting")).toMatchObject({ delayMs: 60_000 });
  await settled();
  clock.advance(60_000);
  await until(worker, "waiting");
  await settled();
  clock.advance(1_000);
  await until(worker, "connected");
  expect(dialer.links).toHaveLength(2);
});

test("a call that a host refused carries the time that is left when it leaves again", async () => {
  const dialer = new FakeDialer({ headers: undefined });
  await using stage = await openFakeStage(dialer);
  const { worker, clock } = stage;
  const end = expect(worker.sendMessage(message, new AgentId("b", "k"), { timeoutMs: 5_000 })).rejects.toMatchObject({
    code: "timed-out",
  });
  await settled();
  clock.advance(3_000);
  const status = { code: StatusCode.unauthenticated, details: "Who are you?" };
  dialer.link(1).end({ by: "status", status, origin: "peer" });
  await until(worker, "waiting");
  clock.advance(100);
  await until(worker, "connected");
  await settled();
  const times = [1, 2].map((number) => {
    const [request] = dialer.link(number).sent;
    return request?.kind === "request" ? timeoutOf(request.metadata) : undefined;
  });
  expect(times).toEqual([5_000, 1_900]);
  clock.advance(5_000);
  await end;
});

test("a call that fails after it has left is called off at the host", async () => {
  const dialer = new FakeDialer();
  const tracing = {
    span: <T>(operation: string, _details: unknown, body: () => T): T => {
      const result = body();
      if (operation === "send") throw new Error("no place for spans");
      return result;
    },
    inject: () => ({}),
  };
  await using stage = await openFakeStage(dialer, { tracing });
  const { worker } = stage;
  await settled();
  await expect(worker.sendMessage(message, new AgentId("b", "k"))).rejects.toThrow("no place for spans");
  const [request, cancel] = dialer.link(1).sent;
  if (request?.kind !== "request") throw new Error("no request was sent");
  expect(cancel).toEqual({ kind: "cancel", requestId: request.requestId, reason: "cancelled" });
  expect(worker.pendingCallsCount).toBe(0);
});
