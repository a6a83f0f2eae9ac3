import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { encodeFrame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { next, requestFrame } from "../../support/worker/frames.ts";
import {
  callTo,
  claimed,
  epochAt,
  eventFor,
  leave,
  placingHost,
  roomsAt,
  settled,
  takeShort,
} from "../../support/worker/placing-host.ts";

const room = new AgentId("room", "a");

test("an agent that leaves ends its turn, gives back what waits in its order, and says left behind its answer", async () => {
  await using host = await placingHost();
  const { channel, gate, seen } = await roomsAt(host, { type: { concurrency: "sequential" } });
  const calls = ["h2", "h3", "h4"].map((id) => encodeFrame(callTo("a", id)));
  const waiting = [...calls.slice(0, 2), eventFor("a", "e1"), ...calls.slice(2)];
  channel.send(callTo("a", "h1", "wait"));
  await settled(channel);
  for (const bytes of waiting) channel.sendBytes(bytes);
  channel.send(leave(["a"]));
  const returned = await channel.received.takeMany(4);
  const agents = [claimed("a")];
  expect(returned).toEqual(
    waiting.map((message) => ({ kind: "returned", agents, reason: "leaving", message: new Uint8Array(message) })),
  );
  expect(await settled(channel)).toEqual([]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "left a@1"]);
  expect(seen).toEqual(["a wait", "a ends: draining"]);
});

test("what waits for a handler slot goes back in its order, and other agents keep theirs", async () => {
  await using host = await placingHost();
  const { channel, gate, seen } = await roomsAt(host, { worker: { maxConcurrentHandlers: 1 } });
  channel.send(callTo("b", "h1", "wait"));
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  channel.send(callTo("a", "h2"));
  channel.sendBytes(eventFor("a", "e1"));
  for (const frame of [callTo("b", "h3"), callTo("a", "h4")]) channel.send(frame);
  channel.send(leave(["a"]));
  expect(await takeShort(channel, 3)).toEqual(["returned leaving a@1", "returned leaving a@1", "returned leaving a@1"]);
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "answer h3"]);
  expect(seen).toEqual(["b wait", "b x"]);
});

test("a message that waits for an agent that is being made goes back, and the agent ends when it is made", async () => {
  await using host = await placingHost();
  const { channel, seen } = await roomsAt(host);
  channel.send(callTo("a", "h1"));
  channel.send(leave(["a"]));
  expect(await takeShort(channel, 2)).toEqual(["returned leaving a@1", "left a@1"]);
  expect(seen).toEqual(["a ends: draining"]);
});

test("an agent that can't be made asks to leave; its caller has the error, and later messages go back", async () => {
  await using host = await placingHost();
  const factory = () => {
    throw new Error("no room");
  };
  const { channel } = await roomsAt(host, { factory });
  channel.send(callTo("a", "h1"));
  expect((await takeShort(channel, 2)).sort()).toEqual(["answer h1 failed", "ask-leave failed a"]);
  channel.send(callTo("a", "h2"));
  channel.send(leave(["a"], "failed"));
  expect(await takeShort(channel, 2)).toEqual(["returned leaving a@1", "left a@1"]);
});

test("a leave that comes twice, or for an agent without a message here, is answered by left once for each", async () => {
  await using host = await placingHost();
  const { channel, gate } = await roomsAt(host);
  channel.send(callTo("a", "h1", "wait"));
  await settled(channel);
  channel.send(leave(["a"]));
  channel.send(leave(["a", "nobody"]));
  expect(await settled(channel)).toEqual(["left nobody@1"]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "left a@1"]);
});

test("an idle agent asks to leave and lives on until the host says leave", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, seen } = await roomsAt(host, { worker: { clock }, type: { idleAfterMs: 1_000 } });
  channel.send(callTo("a", "h1"));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  clock.advance(1_000);
  expect(await takeShort(channel, 1)).toEqual(["ask-leave idle a"]);
  clock.advance(3_999);
  expect(await settled(channel)).toEqual([]);
  expect(seen).toEqual(["a x"]);
  channel.send(leave(["a"], "idle"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  expect(seen).toEqual(["a x", "a ends: idle"]);
  // The next message makes it anew.
  channel.send(callTo("a", "h2", "y", 2));
  expect(await takeShort(channel, 1)).toEqual(["answer h2"]);
});

test("an idle agent stays when a message has come before the leave, and asks again when it is idle again", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, seen } = await roomsAt(host, { worker: { clock }, type: { idleAfterMs: 1_000 } });
  channel.send(callTo("a", "h1"));
  await takeShort(channel, 1);
  clock.advance(1_000);
  await takeShort(channel, 1);
  channel.send(callTo("a", "h2"));
  channel.send(leave(["a"], "idle"));
  expect((await takeShort(channel, 2)).sort()).toEqual(["answer h2", "stay a@1"]);
  expect(seen).toEqual(["a x", "a x"]);
  clock.advance(1_000);
  expect(await takeShort(channel, 1)).toEqual(["ask-leave idle a"]);
  channel.send(leave(["a"], "idle"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
});

test("3,000 idle agents leave with nine frames", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, seen } = await roomsAt(host, { worker: { clock }, type: { idleAfterMs: 1_000 } });
  const keys = Array.from({ length: 3_000 }, (_, at) => `k${at}`);
  for (const key of keys) channel.send(callTo(key, key));
  await channel.received.takeMany(keys.length);
  clock.advance(1_000);
  const left: string[] = [];
  let frames = 0;
  while (left.length < keys.length) {
    const frame = await channel.received.take();
    frames += 1;
    if (frame.kind === "ask-leave") {
      expect(frame.agents.length).toBeLessThanOrEqual(1_000);
      channel.send({ kind: "leave", agents: frame.agents, reason: frame.reason, graceMs: 0 });
      frames += 1;
      clock.advance(0);
    } else if (frame.kind === "left") left.push(...frame.agents.map(({ key }) => key));
  }
  expect(left.sort()).toEqual(keys.sort());
  expect(seen.filter((line) => line.endsWith("ends: idle"))).toHaveLength(keys.length);
  expect(frames).toBeLessThanOrEqual(10);
});

test("an agent beyond the cap asks to leave once, and counts no more while it is on its way out", async () => {
  await using host = await placingHost();
  const { channel } = await roomsAt(host, { type: { maxLive: 2 } });
  const asked: string[] = [];
  for (const key of ["a", "b", "c"]) {
    channel.send(callTo(key, key));
    asked.push(...(await settled(channel)).filter((frame) => !frame.startsWith("answer")));
  }
  expect(asked).toEqual(["ask-leave capacity a"]);
  // It is used again: another one has to go in its place.
  channel.send(callTo("a", "h1"));
  channel.send(leave(["a"], "capacity"));
  expect((await settled(channel)).sort()).toEqual(["answer h1", "ask-leave capacity b", "stay a@1"]);
  channel.send(leave(["b"], "capacity"));
  expect(await takeShort(channel, 1)).toEqual(["left b@1"]);
});

test("deactivateAgent of a shared agent asks the host, and resolves when the agent has ended", async () => {
  await using host = await placingHost();
  const { channel, worker, seen } = await roomsAt(host);
  channel.send(callTo("a", "h1"));
  await takeShort(channel, 1);
  let isDone = false;
  const deactivated = worker.deactivateAgent(room).then(() => {
    isDone = true;
  });
  expect(await takeShort(channel, 1)).toEqual(["ask-leave asked a"]);
  channel.send(callTo("a", "h2"));
  expect(await takeShort(channel, 1)).toEqual(["answer h2"]);
  expect(isDone).toBe(false);
  channel.send(leave(["a"], "asked"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  await deactivated;
  expect(seen).toEqual(["a x", "a x", "a ends: asked"]);
});

test("deactivateAgent resolves though the host had no space for the first two asks", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, worker, seen } = await roomsAt(host, { worker: { clock } });
  channel.send(callTo("a", "h1"));
  await takeShort(channel, 1);
  const deactivated = worker.deactivateAgent(room);
  expect(await takeShort(channel, 1)).toEqual(["ask-leave asked a"]);
  for (const afterMs of [4_000, 4_000]) {
    clock.advance(afterMs);
    expect(await takeShort(channel, 1)).toEqual(["ask-leave asked a"]);
  }
  channel.send(leave(["a"], "asked"));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  await deactivated;
  expect(seen).toEqual(["a x", "a ends: asked"]);
});

test("messages under a newer epoch reach a new activation, those under an older one the present one", async () => {
  await using host = await placingHost();
  const { channel, seen } = await roomsAt(host);
  channel.send(callTo("a", "h1", "x", 5));
  channel.send(callTo("a", "h2", "old", 4));
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "answer h2"]);
  channel.send(callTo("a", "h3", "new", 6));
  expect(await takeShort(channel, 1)).toEqual(["answer h3"]);
  expect(seen).toEqual(["a x", "a old", "a ends: stale", "a new"]);
  // The host has no claim under 5 any more.
  channel.send(leave(["a"], "draining", 5));
  channel.send(leave(["a"], "draining", 6));
  expect(await takeShort(channel, 2)).toEqual(["left a@5", "left a@6"]);
});

test("a late message under a claim that has left goes back", async () => {
  await using host = await placingHost();
  const { channel, seen } = await roomsAt(host);
  channel.send(callTo("a", "h1"));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  channel.send(leave(["a"]));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  channel.send(callTo("a", "h2"));
  channel.sendBytes(eventFor("a", "e1"));
  expect(await takeShort(channel, 2)).toEqual(["returned leaving a@1", "returned leaving a@1"]);
  expect(seen).toEqual(["a x", "a ends: draining"]);
});

test("a call for which a turn of the leaving agent waits reaches it, without a slot", async () => {
  await using host = await placingHost();
  const type = { concurrency: "sequential" } as const;
  const { channel, gate, seen } = await roomsAt(host, { type, worker: { maxConcurrentHandlers: 1 } });
  channel.send(callTo("a", "h1", "wait"));
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  channel.send(leave(["a"]));
  const back = callTo("a", "h2", "back");
  channel.send({ ...back, metadata: { ...back.metadata, agpath: "h1@room/a,h9@desk/1" } });
  channel.send(callTo("a", "h3", "late"));
  expect((await takeShort(channel, 2)).sort()).toEqual(["answer h2", "returned leaving a@1"]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "left a@1"]);
});

test("a worker that stops hands its shared agents over, serves its other agents meanwhile, and then leaves", async () => {
  await using host = await placingHost();
  const { channel, worker, gate, seen } = await roomsAt(host);
  channel.send(callTo("a", "h1", "wait"));
  channel.send(callTo("b", "h2"));
  await takeShort(channel, 1);
  const stopped = worker.stop();
  expect(await channel.received.take()).toEqual({ kind: "leaving-worker", graceMs: 60_000 });
  // Until the host takes them back they go on.
  channel.send(callTo("b", "h3"));
  channel.send(leave(["a", "b"]));
  expect(await settled(channel)).toEqual(["answer h3", "left b@1"]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "left a@1"]);
  channel.send(leave([]));
  expect((await channel.received.take()).kind).toBe("leaving");
  await stopped;
  expect(seen).toEqual(["a wait", "b x", "b x", "b ends: draining", "a ends: draining"]);
});

test("a worker whose agents do not leave in time stops as any other", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, worker } = await roomsAt(host, { worker: { clock, drainTimeoutMs: 1_000 } });
  channel.send(callTo("a", "h1", "wait"));
  await settled(channel);
  const stopped = worker.stop();
  await next(channel, "leaving-worker");
  let hasStopped = false;
  void stopped.then(() => {
    hasStopped = true;
  });
  while (!hasStopped) {
    clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await takeShort(channel, 2)).toEqual(["leaving", "answer h1 failed"]);
});

test("an operator's drain stops the worker, which says so", async () => {
  await using host = await placingHost();
  const { channel, worker } = await roomsAt(host);
  channel.send(callTo("a", "h1"));
  await takeShort(channel, 1);
  const ended = worker.stopWhenSignal();
  channel.send({ kind: "drain", graceMs: 5_000 });
  expect(await channel.received.take()).toEqual({ kind: "leaving-worker", graceMs: 5_000 });
  channel.send(leave(["a"]));
  expect(await takeShort(channel, 1)).toEqual(["left a@1"]);
  channel.send(leave([]));
  expect(await worker.closed).toEqual({ by: "drained" });
  await ended;
});

test("an operator who drains a worker again gives its agents more time", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, worker, gate, seen } = await roomsAt(host, { worker: { clock } });
  channel.send(callTo("a", "h1", "wait"));
  await settled(channel);
  channel.send({ kind: "drain", graceMs: 5_000 });
  await next(channel, "leaving-worker");
  channel.send(leave(["a"]));
  clock.advance(4_000);
  channel.send({ kind: "drain", graceMs: 10_000 });
  expect(await settled(channel)).toEqual([]);
  clock.advance(9_999);
  expect(await settled(channel)).toEqual([]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h1", "left a@1"]);
  channel.send(leave([]));
  expect(await worker.closed).toEqual({ by: "drained" });
  expect(seen).toEqual(["a wait", "a ends: draining"]);
});

test("an operator's drain gives more time to the agents of a worker that stops already", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const { channel, worker } = await roomsAt(host, { worker: { clock, drainTimeoutMs: 1_000 } });
  channel.send(callTo("a", "h1", "wait"));
  await settled(channel);
  const stopped = worker.stop();
  await next(channel, "leaving-worker");
  channel.send({ kind: "drain", graceMs: 2_000 });
  await settled(channel);
  clock.advance(1_999);
  expect(await settled(channel)).toEqual([]);
  clock.advance(1);
  await next(channel, "leaving");
  await worker.stop({ signal: AbortSignal.abort() });
  await stopped;
});

test("a host that does not name claims is told nothing, and agents end as ever", async () => {
  await using host = await placingHost();
  host.capabilities = ["turns"];
  const clock = new ManualClock();
  const { channel, worker, seen } = await roomsAt(host, { worker: { clock }, type: { idleAfterMs: 1_000 } });
  channel.send(callTo("a", "h1"));
  await takeShort(channel, 1);
  await worker.deactivateAgent(room);
  channel.send(callTo("a", "h2"));
  await takeShort(channel, 1);
  clock.advance(1_000);
  expect(await settled(channel)).toEqual([]);
  expect(seen).toEqual(["a x", "a ends: asked", "a x", "a ends: idle"]);
  const stopped = worker.stop();
  expect((await channel.received.take()).kind).toBe("leaving");
  await stopped;
});

test("a request of the control channel makes the agent under its epoch, and finds none that has left", async () => {
  await using host = await placingHost();
  const { channel, worker } = await roomsAt(host);
  channel.send(callTo("z", "h0"));
  await takeShort(channel, 1);
  const listed = worker.agentMetadata(new AgentId("room", "elsewhere")).catch(() => undefined);
  const control = await host.controls.take();
  await control.received.take();
  const destination = "agentid=room/a";
  const agentId = { type: "room", key: "a" };
  const body = { kind: "save-request", agentId } as const;
  control.send({ rpcId: "r1", destination, respondTo: "clientid=x", body, epoch: epochAt(3) });
  expect((await control.received.take()).body).toMatchObject({ kind: "save-response", state: "{}" });
  channel.send(callTo("a", "h1", "x", 3));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  channel.send(leave(["a"], "draining", 3));
  expect(await takeShort(channel, 1)).toEqual(["left a@3"]);
  control.send({ rpcId: "r2", destination, respondTo: "clientid=x", body, epoch: epochAt(3) });
  expect((await control.received.take()).body).toMatchObject({ error: expect.stringContaining("leaves this worker") });
  await worker.stop({ signal: AbortSignal.abort() });
  await listed;
});

test("what a lost host has placed is dropped, with the messages that wait", async () => {
  await using host = await placingHost();
  const type = { concurrency: "sequential" } as const;
  const { channel, worker, seen } = await roomsAt(host, { type, worker: { reconnect: { initialDelayMs: 1 } } });
  channel.send(callTo("a", "h1", "wait"));
  await settled(channel);
  channel.sendBytes(eventFor("a", "e1"));
  await settled(channel);
  await host.kill();
  await host.revive();
  const again = await host.channels.take();
  again.send(callTo("a", "h1", "x", 1));
  expect(await takeShort(again, 1)).toEqual(["answer h1"]);
  expect(seen).toEqual(["a wait", "a ends: stale", "a x"]);
  expect(worker.counters().droppedEvents).toBe(1);
  again.send(requestFrame("desk/d", { requestId: "last" }));
});
