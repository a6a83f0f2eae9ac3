import { expect, test } from "vitest";
import { type MessageContext, TypeSubscription } from "../../../src/core/index.ts";
import { announcement } from "../../../src/protocol/internal.ts";
import type { ManualClock } from "../../../src/testing/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { FakeDialer, type FakeLink, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { jsonPayload } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage, Reply } from "../../support/worker/messages.ts";
import { callTo, eventFor } from "../../support/worker/placing-host.ts";
import { settled } from "../../support/worker/stage.ts";

function call(link: FakeLink, requestId: string): void {
  const payload = jsonPayload("MyMessage", { content: "x" });
  const target = { type: "a", key: "k" };
  link.say({ kind: "request", requestId, source: undefined, target, payload, metadata: {} });
}

/** An agent that counts its calls and answers when the gate opens. */
async function register(worker: WorkerRuntime, handled: string[], answer: Gate): Promise<void> {
  worker.addMessageSerializer([MyMessage, Reply]);
  const handle = async (_message: unknown, id: string) => {
    handled.push(id);
    await answer.opened;
    return Reply({ content: "r" });
  };
  await worker.registerFactory("a", () => new FunctionAgent((message, context) => handle(message, context.messageId)));
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let step = 0; step < 20; step += 1) {
    for (let turn = 0; turn < 5; turn += 1) await settled();
    clock.advance(ms / 20);
  }
  for (let turn = 0; turn < 5; turn += 1) await settled();
}

const kinds = ({ sent }: FakeLink) => sent.map((frame) => frame.kind);

for (const host of ["a Troupe host", "a stock host"])
  test(`a call that comes while the worker leaves an old connection to ${host} begins no handler`, async () => {
    const [handled, open] = [[] as string[], new Gate()];
    open.open();
    const dialer = new FakeDialer({
      headers: host === "a Troupe host" ? announcement : undefined,
      halfClosed: (link) => call(link, "late"),
    });
    await using stage = await openFakeStage(dialer, {}, (worker) => register(worker, handled, open));
    const { clock } = stage;
    await settled();
    call(dialer.link(1), "early");
    dialer.link(1).goAway();
    await pass(clock, 2_000);
    expect(dialer.link(1).isOpen).toBe(false);
    expect(handled).toEqual(["early"]);
    expect(kinds(dialer.link(1))).toEqual(host === "a Troupe host" ? ["response", "leaving"] : ["response"]);
    expect(stage.worker.counters()).toMatchObject({ unsentAnswers: 0 });
  });

test("a call that comes between the worker's notice and its half-close is refused as not handled", async () => {
  const [handled, open] = [[] as string[], new Gate()];
  const dialer = new FakeDialer({
    sent: (link, frame) => {
      if (frame.kind === "leaving") call(link, "late");
    },
  });
  await using stage = await openFakeStage(dialer, {}, (worker) => register(worker, handled, open));
  await settled();
  dialer.link(1).goAway();
  await pass(stage.clock, 2_000);
  expect(handled).toEqual([]);
  expect(dialer.link(1).sent.at(-1)).toMatchObject({
    kind: "response",
    requestId: "late",
    error: expect.stringContaining("did not take the call"),
    metadata: { agnothandled: "1" },
  });
});

test("a worker that stops while an older connection has its registrations tells the host there that it leaves", async () => {
  const [handled, open] = [[] as string[], new Gate()];
  const dialer = new FakeDialer({ halfClosed: (link) => call(link, "late") });
  await using stage = await openFakeStage(dialer, {}, (worker) => register(worker, handled, open));
  const { worker, clock } = stage;
  await settled();
  call(dialer.link(1), "early");
  dialer.link(1).goAway();
  await pass(clock, 2_000);
  expect(dialer.openCount).toBe(2);
  const stopped = worker.stop();
  open.open();
  await pass(clock, 2_000);
  await stopped;
  expect(kinds(dialer.link(1))).toEqual(["response", "leaving"]);
  expect(handled).toEqual(["early"]);
});

test("a worker that stops while an older connection has its registrations hands its agents of shared types over", async () => {
  const [handled, open] = [[] as string[], new Gate()];
  const epoch = { generation: 1, era: 1, number: 1 };
  const agents = [{ type: "shared", key: "k", epoch }];
  const dialer = new FakeDialer({
    headers: { ...announcement, agcaps: "claims" },
    sent: (link, { kind }) => {
      if (kind === "leaving-worker") link.say({ kind: "leave", agents, reason: "draining", graceMs: 10_000 });
      if (kind === "left") link.say({ kind: "leave", agents: [], reason: "draining", graceMs: 10_000 });
    },
  });
  await using stage = await openFakeStage(dialer, {}, async (worker) => {
    await register(worker, handled, open);
    await worker.registerFactory("shared", () => new FunctionAgent(() => Reply({ content: "r" })), { shared: true });
  });
  const { worker, clock } = stage;
  await settled();
  call(dialer.link(1), "early");
  const payload = jsonPayload("MyMessage", { content: "x" });
  const [target, metadata] = [{ type: "shared", key: "k" }, { agepoch: "1.1.1" }];
  dialer.link(1).say({ kind: "request", requestId: "shared", source: undefined, target, payload, metadata });
  dialer.link(1).goAway();
  await pass(clock, 2_000);
  expect(dialer.openCount).toBe(2);
  const stopped = worker.stop();
  await pass(clock, 100);
  expect(kinds(dialer.link(2))).toEqual(["leaving-worker", "left"]);
  open.open();
  await pass(clock, 2_000);
  await stopped;
  expect(kinds(dialer.link(1))).toEqual(["response", "response", "leaving"]);
  expect(handled).toEqual(["early"]);
});

test("the worker leaves an old connection at the first moment without a handler, however short it is", async () => {
  const [handled, answers] = [[] as string[], [new Gate(), new Gate()]];
  const dialer = new FakeDialer();
  await using stage = await openFakeStage(dialer, { address: ["one:1", "two:2"] }, async (worker) => {
    worker.addMessageSerializer([MyMessage, Reply]);
    const handle = async (_message: unknown) => {
      handled.push("");
      await answers[handled.length - 1]?.opened;
      return Reply({ content: "r" });
    };
    await worker.registerFactory("a", () => new FunctionAgent(handle));
  });
  await settled();
  call(dialer.link(1), "1");
  dialer.link(1).goAway();
  await pass(stage.clock, 2_000);
  answers[0]?.open();
  // No time passes: a check from time to time would find the next handler.
  for (let turn = 0; turn < 5; turn += 1) await settled();
  expect(dialer.link(1).isOpen).toBe(false);
});

test("an agent of a shared type ends when its worker has gone from a host that leaves to another, which knows nothing of it", async () => {
  const ended: string[] = [];
  class Ending extends FunctionAgent {
    override close(): void {
      ended.push(this.id.toString());
    }
  }
  const dialer = new FakeDialer({ headers: { ...announcement, agcaps: "claims" } });
  await using stage = await openFakeStage(dialer, { address: ["one:1", "two:2"] }, async (worker) => {
    worker.addMessageSerializer([MyMessage, Reply]);
    const factory = () => new Ending(() => Reply({ content: "r" }));
    await worker.registerFactory("shared", factory, { shared: true });
    await worker.registerFactory("alone", factory);
  });
  await settled();
  const payload = jsonPayload("MyMessage", { content: "x" });
  const say = (link: FakeLink, type: string, key: string, metadata: Record<string, string>) =>
    link.say({
      ...{ kind: "request", requestId: `${type}/${key}`, source: undefined, target: { type, key }, payload, metadata },
    });
  say(dialer.link(1), "shared", "old", { agepoch: "1.1.1" });
  say(dialer.link(1), "shared", "both", { agepoch: "1.1.2" });
  say(dialer.link(1), "alone", "k", {});
  await pass(stage.clock, 100);
  dialer.link(1).say({ kind: "leaving", graceMs: 5_000 });
  await pass(stage.clock, 1_000);
  say(dialer.link(2), "shared", "both", { agepoch: "2.1.1" });
  await pass(stage.clock, 20_000);
  expect([dialer.link(1).isOpen, dialer.link(2).isOpen]).toEqual([false, true]);
  // The second host has placed one of them here anew, which ended the first activation of that.
  expect(ended.sort()).toEqual(["shared/both", "shared/old"]);
  expect(kinds(dialer.link(2)).filter((kind) => kind === "ask-leave" || kind === "returned")).toEqual([]);
});

test("an agent of a shared type ends with its leaving host, also if its messages came before a change of the connection to that host", async () => {
  const ended: string[] = [];
  class Ending extends FunctionAgent {
    override close(): void {
      ended.push(this.id.toString());
    }
  }
  const dialer = new FakeDialer({ headers: { ...announcement, agcaps: "claims" } });
  await using stage = await openFakeStage(dialer, { address: ["one:1", "two:2"] }, async (worker) => {
    worker.addMessageSerializer([MyMessage, Reply]);
    await worker.registerFactory("shared", () => new Ending(() => Reply({ content: "r" })), { shared: true });
  });
  await settled();
  const payload = jsonPayload("MyMessage", { content: "x" });
  const target = { type: "shared", key: "old" };
  const metadata = { agepoch: "1.1.1" };
  dialer.link(1).say({ kind: "request", requestId: "1", source: undefined, target, payload, metadata });
  await pass(stage.clock, 100);
  dialer.link(1).goAway();
  await pass(stage.clock, 5_000);
  expect([dialer.link(1).isOpen, dialer.link(2).isOpen, ended]).toEqual([false, true, []]);
  dialer.link(2).say({ kind: "leaving", graceMs: 5_000 });
  await pass(stage.clock, 20_000);
  expect([dialer.link(2).isOpen, dialer.link(3).isOpen]).toEqual([false, true]);
  expect(ended).toEqual(["shared/old"]);
});

test("an agent of a shared type ends with its leaving host, also if its older connection to that host goes on", async () => {
  const [ended, answer] = [[] as string[], new Gate()];
  class Ending extends FunctionAgent {
    override close(): void {
      ended.push(this.id.toString());
    }
  }
  const dialer = new FakeDialer({ headers: { ...announcement, agcaps: "claims" } });
  await using stage = await openFakeStage(dialer, { address: ["one:1", "two:2"] }, async (worker) => {
    await register(worker, [], answer);
    await worker.registerFactory("shared", () => new Ending(() => Reply({ content: "r" })), { shared: true });
  });
  await settled();
  const payload = jsonPayload("MyMessage", { content: "x" });
  const target = { type: "shared", key: "old" };
  const metadata = { agepoch: "1.1.1" };
  dialer.link(1).say({ kind: "request", requestId: "1", source: undefined, target, payload, metadata });
  call(dialer.link(1), "long");
  await pass(stage.clock, 100);
  dialer.link(1).goAway();
  await pass(stage.clock, 5_000);
  expect([dialer.link(1).isOpen, dialer.link(2).isOpen, ended]).toEqual([true, true, []]);
  for (const link of [dialer.link(1), dialer.link(2)]) link.say({ kind: "leaving", graceMs: 5_000 });
  await pass(stage.clock, 20_000);
  answer.open();
  await pass(stage.clock, 5_000);
  expect([1, 2, 3].map((number) => dialer.link(number).isOpen)).toEqual([false, false, true]);
  expect(ended).toEqual(["shared/old"]);
});

test("an event that waits at an agent of a leaving host is dropped with that host, and does not make the agent anew", async () => {
  const [seen, answer] = [[] as string[], new Gate()];
  const dialer = new FakeDialer({ headers: { ...announcement, agcaps: "claims" } });
  await using stage = await openFakeStage(dialer, { address: ["one:1", "two:2"] }, async (worker) => {
    worker.addMessageSerializer([MyMessage, Reply]);
    const handle = async (_message: unknown, { topicId }: MessageContext) => {
      seen.push(topicId === undefined ? "call" : "event");
      await answer.opened;
      return topicId === undefined ? Reply({ content: "r" }) : undefined;
    };
    const subscriptions = [new TypeSubscription("news", "room")];
    const options = { shared: true, concurrency: "sequential", subscriptions } as const;
    await worker.registerFactory("room", () => new FunctionAgent(handle), options);
  });
  const { worker, clock } = stage;
  await settled();
  const message = jsonPayload("MyMessage", { content: "x" });
  dialer.link(1).say({ ...callTo("k", "1"), payload: message });
  dialer.link(1).sayBytes(eventFor("k", "e1", { message }));
  await pass(clock, 100);
  dialer.link(1).say({ kind: "leaving", graceMs: 5_000 });
  await pass(clock, 20_000);
  // The handler still runs, and its connection has ended with the time of the host.
  expect([dialer.link(1).isOpen, dialer.link(2).isOpen, seen]).toEqual([false, true, ["call"]]);
  answer.open();
  await pass(clock, 100);
  expect(seen).toEqual(["call"]);
  expect(worker.counters()).toMatchObject({ droppedEvents: 1 });
});
