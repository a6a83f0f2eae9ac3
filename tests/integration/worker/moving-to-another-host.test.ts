import { describe, expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import type { Frame } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import type { WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { Gate } from "../../support/gate.ts";
import { next, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { inShortOf, type LendingHost, lendingHosts, takeShortOf } from "../../support/worker/lending-host.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { callTo, type RoomOptions, roomsAt } from "../../support/worker/placing-host.ts";
import type { ScriptedStream } from "../../support/worker/scripted-host.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const turns = async (count: number) => {
  for (let left = count; left > 0; left -= 1) await turn();
};

/** Two hosts of a cluster, and a worker at the first one. */
async function atTwoHosts(options: RoomOptions = {}) {
  const [first, second] = (await lendingHosts(2)) as [LendingHost, LendingHost];
  const worker: Partial<WorkerRuntimeOptions> = { reconnect: { initialDelayMs: 1, maxDelayMs: 1 }, ...options.worker };
  const rooms = await roomsAt(first, { ...options, worker });
  return {
    ...{ first, second },
    ...rooms,
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  };
}

const leavingTo = (host: LendingHost, graceMs = 10_000): Frame => {
  return { kind: "leaving", graceMs, addresses: [host.address] };
};

const identityOf = ({ metadata }: ScriptedStream<Frame>) => [metadata.agworker, metadata.agsession];

describe("a worker whose host leaves its cluster", () => {
  test("takes all that the host has sent, joins another host as the same worker, and answers on the old channel", async () => {
    await using at = await atTwoHosts();
    const { channel, first, second, gate, seen } = at;
    channel.send(callTo("a", "h1", "wait"));
    channel.send(leavingTo(second));
    expect(await takeShortOf(channel, 1)).toEqual(["moving"]);
    // The host had sent this one before it read the notice.
    channel.send(callTo("b", "h2", "before last"));
    channel.send({ kind: "last" });
    expect(await takeShortOf(channel, 1)).toEqual(["answer h2"]);
    const newer = await second.channels.take();
    expect([identityOf(newer)[0], identityOf(newer)[1]]).toEqual([identityOf(channel)[0], "2"]);
    expect(await takeShortOf(newer, 1)).toEqual(["holds a@1,b@1"]);
    newer.send(callTo("b", "h1", "after"));
    expect(await takeShortOf(newer, 1)).toEqual(["answer h1"]);
    gate.open();
    expect(await takeShortOf(channel, 1)).toEqual(["answer h1"]);
    // It does not say that it stops, or its agents would go to others.
    await channel.halfClosed;
    expect(channel.received.rest.map(inShortOf)).toEqual([]);
    expect(seen).toEqual(["a wait", "b before last", "b after"]);
    expect(at.worker.counters()).toMatchObject({ lostEvents: 0, droppedEvents: 0, abandonedCalls: 0 });
    expect(first.channels.rest).toEqual([]);
  });

  test("sends what it sends in order: by the old host until that has read it, then by the new one", async () => {
    await using at = await atTwoHosts();
    const { channel, first, second, worker } = at;
    const publish = (content: string) => worker.publishMessage(Ask({ content }), new TopicId("t", "s"));
    await publish("1");
    channel.send(leavingTo(second));
    await next(channel, "event");
    expect(await takeShortOf(channel, 1)).toEqual(["moving"]);
    await publish("2");
    await next(channel, "event");
    // The host does not say yet that it has read this.
    const { takes } = first;
    const asked = new Gate<Frame>();
    first.takes = (frame, stream) => {
      if (frame.kind !== "heartbeat" || stream !== channel) return takes(frame, stream);
      asked.open(frame);
      return true;
    };
    channel.send({ kind: "last" });
    const question = await asked.opened;
    const pending = publish("3");
    await turns(3);
    expect([channel.received.rest, second.channels.rest]).toEqual([[], []]);
    channel.send({
      kind: "heartbeat",
      seq: question.kind === "heartbeat" ? question.seq : 0,
      isAnswer: true,
      leaseMs: 0,
    });
    const newer = await second.channels.take();
    await pending;
    expect(new TextDecoder().decode((await next(newer, "event")).event.payload.data)).toContain("3");
  });

  test("gets the answers to its own calls on the channel on which they left", async () => {
    await using at = await atTwoHosts();
    const { channel, second, worker } = at;
    const answer = worker.sendMessage(Ask({ content: "x" }), new AgentId("elsewhere", "x"));
    const { requestId } = await next(channel, "request");
    channel.send(leavingTo(second));
    await next(channel, "moving");
    channel.send({ kind: "last" });
    await second.channels.take();
    const payload = {
      typeName: "Reply",
      contentType: "application/json",
      data: new TextEncoder().encode('{"content":"y"}'),
    };
    channel.send(responseFrame(requestId, { payload }));
    expect(await answer).toMatchObject({ content: "y" });
    await channel.halfClosed;
  });

  test("waits until what came has begun, but not without end: the rest begins at the next host, in order", async () => {
    const mayEnd = new Gate();
    const seen: string[] = [];
    const clock = new ManualClock();
    const factory = () =>
      new FunctionAgent(async (message) => {
        const { content } = message as { readonly content: string };
        seen.push(content);
        if (content === "long") await mayEnd.opened;
        return Reply({ content });
      });
    await using at = await atTwoHosts({ factory, type: { concurrency: "sequential" }, worker: { clock } });
    const { channel, second } = at;
    channel.send(callTo("a", "h1", "long"));
    channel.send(callTo("a", "h2", "second"));
    channel.send(leavingTo(second));
    await next(channel, "moving");
    channel.send({ kind: "last" });
    await turns(3);
    clock.advance(1_900);
    await turns(3);
    expect(second.channels.rest).toEqual([]);
    clock.advance(100);
    const newer = await second.channels.take();
    expect(await takeShortOf(newer, 1)).toEqual(["holds a@1"]);
    newer.send(callTo("a", "h1", "third"));
    await turns(3);
    mayEnd.open();
    expect(await takeShortOf(channel, 2)).toEqual(["answer h1", "answer h2"]);
    expect(await takeShortOf(newer, 1)).toEqual(["answer h1"]);
    expect(seen).toEqual(["long", "second", "third"]);
  });

  test("goes after two seconds though the host says nothing more", async () => {
    const clock = new ManualClock();
    await using at = await atTwoHosts({ worker: { clock } });
    const { channel, second } = at;
    channel.send(leavingTo(second));
    await next(channel, "moving");
    clock.advance(1_999);
    await turns(3);
    expect(second.channels.rest).toEqual([]);
    clock.advance(1);
    await second.channels.take();
  });

  test("goes at once to a host that is there, and keeps its agents if the old one is lost meanwhile", async () => {
    await using at = await atTwoHosts();
    const { channel, first, second } = at;
    channel.send(callTo("a", "h1"));
    expect(await takeShortOf(channel, 1)).toEqual(["answer h1"]);
    channel.send(leavingTo(second));
    await next(channel, "moving");
    await first.kill();
    const newer = await second.channels.take();
    expect(await takeShortOf(newer, 1)).toEqual(["holds a@1"]);
    expect(identityOf(newer)[1]).toBe("2");
  });

  test("waits for the end of its host and comes back, if that names no other", async () => {
    await using at = await atTwoHosts();
    const { channel, first } = at;
    channel.send(callTo("a", "h1"));
    expect(await takeShortOf(channel, 1)).toEqual(["answer h1"]);
    channel.send({ kind: "leaving", graceMs: 10_000 });
    await turns(3);
    expect(channel.received.rest).toEqual([]);
    channel.stream.finish({ code: 0, details: "" });
    const newer = await first.channels.take();
    expect(await takeShortOf(newer, 1)).toEqual(["holds a@1"]);
    expect(at.seen).toEqual(["a x"]);
  });
});
