import { expect, test } from "vitest";
import { AgentId, TypeSubscription } from "../../../src/core/index.ts";
import { announcementOf, method } from "../../../src/protocol/internal.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { Gate } from "../../support/gate.ts";
import { FakeDialer, type FakeLink, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { callTo, eventFor, inShort, leave } from "../../support/worker/placing-host.ts";
import { turns } from "../../support/worker/stage.ts";

const headers = announcementOf(["turns", "claims"]);

function said({ sent }: FakeLink): string[] {
  return sent.splice(0).map(inShort);
}

/** A worker with the shared type `room`, whose agents wait for their gates. */
async function openRooms(dialer: FakeDialer) {
  const gates = new Map(["a", "b", "c"].map((key) => [key, new Gate()]));
  const stage = await openFakeStage(dialer, {}, async (worker) => {
    worker.addMessageSerializer([Ask, Reply]);
    const handle = async (_message: unknown, _context: unknown, { id }: FunctionAgent) => {
      await gates.get(id.key)?.opened;
      return Reply({ content: "done" });
    };
    await worker.registerFactory("room", () => new FunctionAgent(handle), {
      ...{ shared: true, concurrency: "sequential", subscriptions: [new TypeSubscription("news", "room")] },
    });
  });
  await turns();
  const pass = async (ms: number) => {
    for (let step = 0; step < 10; step += 1) {
      stage.clock.advance(ms / 10);
      await turns();
    }
  };
  return {
    stage,
    pass,
    open: (key: string) => gates.get(key)?.open(),
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
}

test("a call on a connection that never had the registrations is answered there after a GOAWAY, and the host is told then", async () => {
  const dialer = new FakeDialer({ headers });
  await using rooms = await openRooms(dialer);
  // The handler of this call keeps the registrations on the first connection.
  dialer.link(1).say(callTo("a", "h1"));
  dialer.link(1).goAway();
  await rooms.pass(1_000);
  const second = dialer.link(2);
  second.say(callTo("b", "h2"));
  second.goAway();
  await rooms.pass(1_000);
  expect([dialer.links.length, second.isOpen, said(second)]).toEqual([3, true, []]);
  rooms.open("b");
  await rooms.pass(1_000);
  expect([second.isOpen, said(second)]).toEqual([false, ["answer h2", "leaving"]]);
  rooms.open("a");
  await rooms.pass(1_000);
  expect(said(dialer.link(1))).toEqual(["answer h1", "leaving"]);
});

test("an event that waits on such a connection goes back there when its agent leaves", async () => {
  const dialer = new FakeDialer({ headers });
  await using rooms = await openRooms(dialer);
  dialer.link(1).say(callTo("a", "h1"));
  dialer.link(1).goAway();
  await rooms.pass(1_000);
  const second = dialer.link(2);
  const waiting = eventFor("a", "e1");
  second.sayBytes(waiting);
  second.goAway();
  await rooms.pass(1_000);
  second.say(leave(["a"]));
  await turns();
  expect(said(second)).toEqual(["returned leaving a@1"]);
  expect(rooms.stage.worker.counters().droppedEvents).toBe(0);
  rooms.open("a");
  await rooms.pass(1_000);
});

test("a call on a new connection that the worker does not take is answered there", async () => {
  let answers: (() => void) | undefined;
  const dialer = new FakeDialer({
    headers,
    // The host gives no sign of life on the second connection.
    unary: ({ number }) =>
      number !== 2
        ? undefined
        : new Promise((_, reject) => {
            answers = () => reject(new RpcError(StatusCode.unavailable, "overloaded"));
          }),
  });
  await using rooms = await openRooms(dialer);
  dialer.link(1).goAway();
  await turns();
  const second = dialer.link(2);
  second.say(callTo("b", "h1"));
  await turns();
  answers?.();
  await turns();
  // The worker takes no more here, and answers what it has.
  expect([second.isOpen, said(second)]).toEqual([true, ["leaving"]]);
  second.say(callTo("c", "h2"));
  await turns();
  expect(said(second)).toEqual(["answer h2 failed"]);
  rooms.open("b");
  await rooms.pass(1_000);
  expect([second.isOpen, said(second)[0]]).toEqual([false, "answer h1"]);
});

/** A worker that has the agent `a`, and has gone over to a new connection on which the host has not said what it knows. */
async function openUntold(dialer: FakeDialer) {
  const rooms = await openRooms(dialer);
  rooms.open("a");
  dialer.link(1).say(callTo("a", "h1"));
  await turns();
  dialer.link(1).goAway();
  await rooms.pass(1_000);
  expect([dialer.link(1).isOpen, dialer.link(2).isOpen]).toEqual([false, true]);
  return rooms;
}

test("deactivateAgent resolves, though it was called before the host had said on the worker's new connection what it knows", async () => {
  const dialer = new FakeDialer({ headers, sendsHeaders: ({ number }) => number === 1 });
  await using rooms = await openUntold(dialer);
  const ended = rooms.stage.worker.deactivateAgent(new AgentId("room", "a"));
  await turns();
  const second = dialer.link(2);
  second.sayHeaders(headers);
  await turns();
  expect(said(second)).toEqual(["ask-leave asked a"]);
  second.say(leave(["a"], "asked"));
  await ended;
  expect(said(second)).toEqual(["left a@1"]);
});

test("deactivateAgent resolves, though the connection on which the worker has asked the host is lost behind a newer one", async () => {
  const dialer = new FakeDialer({ headers });
  await using rooms = await openRooms(dialer);
  const [first, other] = [dialer.link(1), new AgentId("room", "b")];
  for (const key of ["a", "b"]) first.say(callTo(key, `of ${key}`));
  rooms.open("b");
  await turns();
  const ended = rooms.stage.worker.deactivateAgent(other);
  await turns();
  expect(said(first)).toEqual(["answer of b", "ask-leave asked b"]);
  first.goAway();
  await turns();
  const second = dialer.link(2);
  first.end({ by: "connection-lost", reason: "cut" });
  await turns();
  expect(said(second)).toEqual(["ask-leave asked b"]);
  second.say(leave(["b"], "asked"));
  await ended;
  rooms.open("a");
});

test("an agent that another worker has is not made, while the host has not said on a new connection what it knows", async () => {
  const dialer = new FakeDialer({ headers, sendsHeaders: ({ number }) => number === 1 });
  await using rooms = await openUntold(dialer);
  const abort = new AbortController();
  const saving = rooms.stage.worker.agentSaveState(new AgentId("room", "b"), { signal: abort.signal });
  await turns();
  // The host is asked, which knows where the agent is.
  expect(dialer.link(2).streams.map((stream) => stream.method)).toContain(method.openControlChannel);
  abort.abort();
  await expect(saving).rejects.toMatchObject({ code: "cancelled" });
});

test("an event that comes when the worker has half-closed its old connection goes back on the new one, if its agent has left", async () => {
  const late = eventFor("a", "e1");
  const dialer = new FakeDialer({ headers, halfClosed: (link) => link.number === 1 && link.sayBytes(late) });
  await using rooms = await openRooms(dialer);
  for (const key of ["a", "b"]) dialer.link(1).say(callTo(key, `of ${key}`));
  rooms.open("a");
  dialer.link(1).goAway();
  await rooms.pass(1_000);
  const second = dialer.link(2);
  second.say(leave(["a"]));
  await turns();
  rooms.open("b");
  await rooms.pass(1_000);
  expect([dialer.link(1).isOpen, said(second)]).toEqual([false, ["left a@1", "returned leaving a@1"]]);
  expect(rooms.stage.worker.counters().droppedEvents).toBe(0);
});

test("an event that came so late, and waits for its turn, goes back on the new connection when its agent leaves", async () => {
  const late = ["e1", "e2"].map((id) => eventFor("c", id));
  const dialer = new FakeDialer({
    headers,
    halfClosed: (link) => {
      if (link.number === 1) for (const event of late) link.sayBytes(event);
    },
  });
  await using rooms = await openRooms(dialer);
  dialer.link(1).goAway();
  await turns();
  const second = dialer.link(2);
  expect([dialer.link(1).isOpen, said(second)]).toEqual([false, []]);
  second.say(leave(["c"]));
  await turns();
  // The handler of the first one runs.
  expect(said(second)).toEqual(["returned leaving c@1"]);
  rooms.open("c");
  await turns();
  expect(said(second)).toEqual(["left c@1"]);
});

test("the first event for an agent goes back, if it comes on the old connection when the host has taken the agent back", async () => {
  const dialer = new FakeDialer({ headers });
  await using rooms = await openRooms(dialer);
  dialer.link(1).say(callTo("b", "h1"));
  dialer.link(1).goAway();
  await rooms.pass(1_000);
  const second = dialer.link(2);
  // The worker has no message for it yet.
  second.say(leave(["a"]));
  await turns();
  dialer.link(1).sayBytes(eventFor("a", "e1"));
  await turns();
  expect([said(second), said(dialer.link(1))]).toEqual([["left a@1"], ["returned leaving a@1"]]);
  rooms.open("b");
  await rooms.pass(1_000);
});
