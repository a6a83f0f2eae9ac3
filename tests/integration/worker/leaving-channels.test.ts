import { expect, test } from "vitest";
import { AgentId, BaseAgent, TypeSubscription } from "../../../src/core/index.ts";
import { announcementOf } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { FakeDialer, type FakeLink, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import {
  callTo,
  eventFor,
  inShort,
  leave,
  placingHost,
  roomsAt,
  takeShort,
} from "../../support/worker/placing-host.ts";
import { turns } from "../../support/worker/stage.ts";

/** Takes what a worker has said about claims, and its answers. */
function said({ sent }: FakeLink): string[] {
  return sent.splice(0).map(inShort);
}

test("an agent says left on each channel on which the host has said leave, behind what it gives back there [L4 L5]", async () => {
  const gate = new Gate();
  const dialer = new FakeDialer({ headers: announcementOf(["turns", "claims"]) });
  await using stage = await openFakeStage(dialer, {}, async (worker) => {
    worker.addMessageSerializer([Ask, Reply]);
    const handle = async () => {
      await gate.opened;
      return Reply({ content: "done" });
    };
    const subscriptions = [new TypeSubscription("news", "room")];
    await worker.registerFactory("room", () => new FunctionAgent(handle), {
      ...{ shared: true, concurrency: "sequential", subscriptions },
    });
  });
  await turns();
  const older = dialer.link(1);
  older.say(callTo("a", "h1"));
  older.goAway();
  await turns();
  const newer = dialer.link(2);
  newer.say(callTo("a", "h2"));
  newer.say(leave(["a"]));
  await turns();
  expect([said(newer), said(older)]).toEqual([["returned leaving a@1"], []]);
  // What the host had sent before it said `leave` on this channel.
  older.say(callTo("a", "h0"));
  older.say(leave(["a"]));
  older.say(leave(["b"]));
  await turns();
  expect([said(newer), said(older)]).toEqual([[], ["returned leaving a@1", "left b@1"]]);
  gate.open();
  await turns();
  // With its last answer the worker leaves the older channel. The host then says `leave` again on the newer one.
  expect([said(newer), said(older).slice(0, 2)]).toEqual([["left a@1"], ["answer h1", "leaving"]]);
  newer.say(leave(["a"]));
  await turns();
  expect(said(newer)).toEqual(["left a@1"]);
  await stage.worker.stop({ signal: AbortSignal.abort() });
});

test("an agent says left on both channels while the older one still has a call of another agent", async () => {
  const [gate, other] = [new Gate(), new Gate()];
  const dialer = new FakeDialer({ headers: announcementOf(["turns", "claims"]) });
  await using stage = await openFakeStage(dialer, {}, async (worker) => {
    worker.addMessageSerializer([Ask, Reply]);
    const handle = async (_message: unknown, _context: unknown, { id }: FunctionAgent) => {
      await (id.key === "a" ? gate : other).opened;
      return Reply({ content: "done" });
    };
    await worker.registerFactory("room", () => new FunctionAgent(handle), { shared: true });
  });
  await turns();
  const older = dialer.link(1);
  for (const key of ["a", "b"]) older.say(callTo(key, `of ${key}`));
  older.goAway();
  await turns();
  const newer = dialer.link(2);
  for (const link of [newer, older, older]) link.say(leave(["a"]));
  await turns();
  expect([said(newer), said(older)]).toEqual([[], []]);
  gate.open();
  await turns();
  expect([said(newer), said(older)]).toEqual([["left a@1"], ["answer of a", "left a@1"]]);
  other.open();
  await turns();
  await stage.worker.stop({ signal: AbortSignal.abort() });
});

test("a call that the worker refuses, and an event that it can't read, leave no agent of theirs at the host", async () => {
  await using host = await placingHost();
  const options = { maxConcurrentHandlers: 1, maxParkedMessages: 2 };
  const { channel, gate, worker } = await roomsAt(host, { worker: options });
  channel.sendBytes(eventFor("e", "e1", { isBroken: true }));
  expect(await takeShort(channel, 1)).toEqual(["ask-leave idle e"]);
  channel.send(callTo("b", "h1", "wait"));
  // The worker reads on, because it waits for an answer.
  const asking = worker.sendMessage(Ask({ content: "x" }), new AgentId("far", "x"));
  expect(await takeShort(channel, 1)).toEqual(["request"]);
  for (let at = 2; at < 7; at += 1) channel.send(callTo(`c${at}`, `h${at}`));
  channel.sendBytes(eventFor("d", "e2"));
  expect(await takeShort(channel, 4)).toEqual([
    ...["answer h4 failed", "answer h5 failed", "answer h6 failed"],
    "ask-leave idle c4,c5,c6,d",
  ]);
  const ended = asking.catch(() => undefined);
  gate.open();
  await worker.stop({ signal: AbortSignal.abort() });
  await ended;
});

test("timers of an agent that leaves begin no turn any more, though one that runs holds the agent", async () => {
  await using host = await placingHost();
  const clock = new ManualClock();
  const [seen, gate] = [[] as string[], new Gate()];
  class Ticking extends BaseAgent {
    override async onMessageImpl(message: unknown) {
      if (!Ask.is(message)) return undefined;
      const { content } = message;
      seen.push(content);
      if (content === "start") this.startTimer(1_000, Ask({ content: "tick" }), { repeats: true });
      if (content === "wait") await gate.opened;
      return Reply({ content });
    }
  }
  const { channel } = await roomsAt(host, { worker: { clock }, factory: () => new Ticking("ticks") });
  channel.send(callTo("a", "h1", "start"));
  expect(await takeShort(channel, 1)).toEqual(["answer h1"]);
  clock.advance(1_000);
  await turns();
  channel.send(callTo("a", "h2", "wait"));
  channel.send(leave(["a"]));
  await turns();
  clock.advance(5_000);
  await turns();
  expect(seen).toEqual(["start", "tick", "wait"]);
  gate.open();
  expect(await takeShort(channel, 2)).toEqual(["answer h2", "left a@1"]);
});
