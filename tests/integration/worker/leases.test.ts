import { describe, expect, test } from "vitest";
import { type Agent, BaseAgent, TypeSubscription } from "../../../src/core/index.ts";
import type { Frame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { eventFrame, jsonPayload, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { LendingHost, takeShortOf } from "../../support/worker/lending-host.ts";
import { Reply } from "../../support/worker/messages.ts";
import { callTo, eventFor, leave, placingHost, roomsAt, settled } from "../../support/worker/placing-host.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const turns = async (count: number) => {
  for (let left = count; left > 0; left -= 1) await turn();
};

const ask = (requestId: string, target = "desk/d", content = "x") =>
  requestFrame(target, { requestId, payload: jsonPayload("Ask", { content }) });

describe("a worker at a host of a cluster", () => {
  test("asks for its lease once a second: on the data channel, and on the side stream when that is open", async () => {
    await using host = await new LendingHost().listen();
    host.hasSignals = true;
    const clock = new ManualClock();
    const [worker, channel] = await host.worker({ clock });
    host.hurried.push(worker);
    const side = await host.sides.take();
    await turns(5);
    expect(channel.metadata.agcaps?.split(",")).toContain("lease");
    host.questions.length = 0;
    for (let second = 0; second < 3; second += 1) {
      clock.advance(1_000);
      await turns(3);
    }
    expect(host.questions.map(({ stream }) => stream)).toEqual([side, side, side]);
    const seqs = host.questions.map(({ frame }) => frame.seq);
    // Without answers it asks on both.
    host.leaseMs = undefined;
    host.questions.length = 0;
    for (let second = 0; second < 4; second += 1) {
      clock.advance(1_000);
      await turns(3);
    }
    expect(host.questions.map(({ stream }) => stream).slice(-2)).toEqual([side, channel]);
    seqs.push(...host.questions.map(({ frame }) => frame.seq));
    side.stream.finish({ code: 14, details: "" });
    await turns(3);
    clock.advance(50);
    await turns(3);
    host.questions.length = 0;
    for (let second = 0; second < 16; second += 1) {
      clock.advance(1_000);
      await turns(3);
    }
    // Each question has a number of its own, those that keep streams open too.
    seqs.push(...host.questions.map(({ frame }) => frame.seq));
    expect(new Set(seqs).size).toBe(seqs.length);
  });

  test("begins no handler, no factory and no onActivate without a lease, and all of it in order with the next one", async () => {
    await using host = await new LendingHost().listen();
    host.leaseMs = 0;
    const clock = new ManualClock();
    const seen: string[] = [];
    class Room extends FunctionAgent {
      onActivate(): void {
        seen.push(`${this.id.key} activates`);
      }
    }
    const factory = (): Agent => {
      seen.push("factory");
      return new Room((message) => {
        seen.push((message as { readonly content: string }).content);
        return Reply({ content: "done" });
      });
    };
    const { channel } = await roomsAt(host, { worker: { clock }, factory });
    channel.send(callTo("a", "h1", "first"));
    channel.sendBytes(eventFor("a", "e1", { content: "second" }));
    channel.send(ask("h2"));
    await turns(5);
    expect(seen).toEqual([]);
    expect(channel.received.rest).toEqual([]);
    host.leaseMs = 3_000;
    clock.advance(1_000);
    expect(await takeShortOf(channel, 2)).toEqual(expect.arrayContaining(["answer h1", "answer h2"]));
    expect(seen).toEqual(["factory", "a activates", "first", "second"]);
    // The agent is there now, and the lease is over.
    host.leaseMs = undefined;
    clock.advance(3_000);
    channel.send(callTo("a", "h3", "third"));
    await turns(5);
    expect(seen.at(-1)).toBe("second");
    host.leaseMs = 3_000;
    clock.advance(1_000);
    expect(await takeShortOf(channel, 1)).toEqual(["answer h3"]);
  });

  test("gives back after 2 s what it could not begin, and refuses a call that can't go back as not handled", async () => {
    await using host = await new LendingHost().listen();
    const clock = new ManualClock();
    const { worker, channel, seen } = await roomsAt(host, { worker: { clock } });
    await worker.registerFactory("bell", () => new FunctionAgent(() => seen.push("bell")), {
      subscriptions: [new TypeSubscription("bells", "bell")],
    });
    channel.send(callTo("live", "h0"));
    expect(await takeShortOf(channel, 1)).toEqual(["answer h0"]);
    host.leaseMs = undefined;
    clock.advance(3_000);
    channel.send(callTo("live", "h1"));
    channel.send(callTo("new", "h2"));
    channel.sendBytes(eventFor("live", "e1"));
    channel.sendBytes(eventFor("live", "e2", { alone: true }));
    channel.send(ask("h3"));
    channel.send(eventFrame("bells/b", { payload: jsonPayload("Ask", { content: "x" }) }));
    await turns(5);
    clock.advance(1_999);
    await turns(5);
    expect(channel.received.rest).toEqual([]);
    clock.advance(1);
    await turns(5);
    const frames = await channel.received.takeMany(5);
    const returned = frames.filter((frame) => frame.kind === "returned");
    expect(returned.map(({ reason, agents }) => `${reason} ${agents[0]?.key}`).sort()).toEqual([
      "no-lease live",
      "no-lease live",
      "no-lease live",
      "no-lease new",
    ]);
    expect(
      frames.find((frame): frame is Extract<Frame, { kind: "response" }> => frame.kind === "response"),
    ).toMatchObject({
      requestId: "h3",
      metadata: { agerrorcode: "shutting-down", agnothandled: "1" },
    });
    expect(worker.counters()).toMatchObject({ droppedEvents: 1, failedEventHandlers: 0, eventsAfterStop: 0 });
    expect(seen).toEqual(["live x"]);
    // The agents are still here, and no handler has failed.
    expect(host.logger.texts("error")).toEqual([]);
    host.leaseMs = 3_000;
    clock.advance(1_000);
    channel.send(callTo("live", "h4", "again"));
    // It was never made here.
    expect(await takeShortOf(channel, 2)).toEqual(["ask-leave idle new", "answer h4"]);
  });

  test("lets those that wait for one sequential agent wait together, not one after the other", async () => {
    await using host = await new LendingHost().listen();
    const clock = new ManualClock();
    const { channel } = await roomsAt(host, { worker: { clock }, type: { concurrency: "sequential" } });
    host.leaseMs = undefined;
    clock.advance(3_000);
    for (const id of ["h1", "h2", "h3"]) channel.send(callTo("a", id));
    await turns(5);
    clock.advance(2_000);
    await turns(10);
    expect(await takeShortOf(channel, 3)).toEqual(new Array(3).fill("returned no-lease a@1"));
  });

  test("delivers no message of a timer without a lease", async () => {
    await using host = await new LendingHost().listen();
    const clock = new ManualClock();
    const ticks: number[] = [];
    class Clockwork extends BaseAgent {
      constructor() {
        super("ticks");
      }

      override async onActivate(): Promise<void> {
        this.startTimer(500, Reply({ content: "tick" }), { repeats: true });
      }

      onMessageImpl(message: unknown): unknown {
        if ((message as { readonly content: string }).content === "tick") ticks.push(clock.now());
        return Reply({ content: "done" });
      }
    }
    const { channel } = await roomsAt(host, { worker: { clock }, factory: () => new Clockwork() });
    channel.send(callTo("a", "h1", "set"));
    expect(await takeShortOf(channel, 1)).toEqual(["answer h1"]);
    clock.advance(500);
    await turns(5);
    expect(ticks).toHaveLength(1);
    host.leaseMs = undefined;
    for (let half = 0; half < 16; half += 1) {
      clock.advance(500);
      await turns(3);
    }
    const before = ticks.length;
    expect(before).toBeLessThanOrEqual(7);
    for (let half = 0; half < 8; half += 1) {
      clock.advance(500);
      await turns(3);
    }
    expect(ticks).toHaveLength(before);
    host.leaseMs = 3_000;
    for (let half = 0; half < 8; half += 1) {
      clock.advance(500);
      await turns(3);
    }
    expect(ticks.length).toBeGreaterThan(before);
  });

  test("lets an agent leave that waits for a lease: what has not begun goes back at once", async () => {
    await using host = await new LendingHost().listen();
    const clock = new ManualClock();
    const { channel, seen } = await roomsAt(host, { worker: { clock } });
    channel.send(callTo("a", "h1"));
    expect(await takeShortOf(channel, 1)).toEqual(["answer h1"]);
    host.leaseMs = undefined;
    clock.advance(3_000);
    channel.send(callTo("a", "h2"));
    await turns(5);
    channel.send(leave(["a"]));
    expect(await takeShortOf(channel, 2)).toEqual(["returned leaving a@1", "left a@1"]);
    expect(seen).toEqual(["a x", "a ends: draining"]);
  });
});

test.each(["a host of Troupe without a cluster", "a stock host"])(
  "at %s a worker needs no lease and sends no new frame",
  async (what) => {
    await using host = await placingHost();
    host.isTroupe = what !== "a stock host";
    host.capabilities = ["heartbeat", "turns", "claims"];
    host.hasSignals = true;
    const clock = new ManualClock();
    const { worker, channel } = await roomsAt(host, { worker: { clock, heartbeatMs: 0, keepAliveMs: 0 } });
    // Such a host says nothing of this. If it does, it means nothing.
    channel.send({ kind: "void" });
    channel.send({ kind: "last" });
    channel.send({ kind: "hosts", addresses: ["127.0.0.1:9"] });
    channel.send({ kind: "heartbeat", seq: 1, isAnswer: true, leaseMs: 3_000 });
    for (let second = 0; second < 5; second += 1) {
      clock.advance(1_000);
      await turns(2);
    }
    expect(await settled(channel)).toEqual([]);
    expect(worker.isRunning).toBe(true);
    expect(host.sides.rest).toEqual([]);
    expect(host.channels.rest).toEqual([]);
  },
);
