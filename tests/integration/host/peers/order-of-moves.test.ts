import { describe, expect, it } from "vitest";
import { Host } from "../../../../src/host/index.ts";
import { partsOf } from "../../../../src/host/servicer.ts";
import {
  decodeFrame,
  encodeFrame,
  encodePeerEvent,
  encodePeerFrame,
  joinFrame,
  type PeerFrame,
} from "../../../../src/protocol/internal.ts";
import { helloOfHost, nextOfKind, openRawHost, openRawLink, openWaitingHost } from "../../../support/raw-link.ts";
import { RawWorker, textPayload } from "../../../support/raw-worker.ts";

const worker = { id: "T", name: "T", version: undefined, labels: {} };

function here(slot: number, id = "T") {
  const traits = {
    isAnnounced: true,
    worker: { ...worker, id, name: id },
    isDraining: false,
    capabilities: new Set(["lease"] as const),
  };
  return encodePeerFrame({ kind: "here", slot, session: slot, clientId: `T-${slot}`, ...traits });
}

const interest = encodePeerFrame({
  ...{ kind: "interest", begins: true },
  pattern: { kind: "type", topicType: "news", agentType: "echo" },
});

/** A host that is linked with one which does only what a test says, and has a worker of the type `echo` in slot 1. */
async function linkedWithRaw() {
  const waiting = await openWaitingHost({ keepAliveMs: 1_000_000 });
  const { network, cluster, servicer } = waiting;
  const host = new Host({ listener: network, address: "127.0.0.1:0", servicer });
  await host.start();
  const raw = await openRawHost(network, [here(1), interest]);
  await cluster.viewOf("h2").claimType({ agentType: "echo", clientId: "T", isShared: false });
  cluster.up({ hostId: "h2", address: raw.address });
  const client = await new RawWorker(network.dial(host.address), "C").join();
  return {
    ...{ host, raw, client, cluster, joined: waiting.joined, others: partsOf(servicer).others },
    say: (...frames: readonly Uint8Array[]) => {
      for (const frame of frames) raw.streams[0]?.send(frame);
    },
    [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }),
  };
}

/** The next call or event on a link. `name`: the agent's key, or the id of the event. */
async function nextMessage(raw: { next(): Promise<PeerFrame> }) {
  for (;;) {
    const frame = await raw.next();
    if (frame.kind !== "call" && frame.kind !== "event") continue;
    const message = decodeFrame(frame.frame);
    if (message.kind === "request") {
      const slot = frame.kind === "call" ? frame.slot : 0;
      return { name: message.target?.key, slot, what: { requestId: message.requestId }, frame: frame.frame };
    }
    if (message.kind === "event" && frame.kind === "event")
      return { name: message.event.id, slot: 0, what: { event: frame.number }, frame: frame.frame };
  }
}

function bounceOf({ what, frame }: Awaited<ReturnType<typeof nextMessage>>): Uint8Array {
  const types = "event" in what ? ["echo"] : [];
  return encodePeerFrame({ kind: "bounce", what, types, reason: "", heldBy: undefined, frame });
}

async function nextNotice(raw: { next(): Promise<PeerFrame> }) {
  const frame = await nextOfKind(raw, "notice");
  if (frame.kind !== "notice") throw new Error("It is a notice.");
  return frame;
}

async function numberOfFlush(raw: { next(): Promise<PeerFrame> }, slot: number): Promise<number> {
  const flush = await nextOfKind(raw, "flush");
  expect(flush).toMatchObject({ slot, agentType: "", key: "" });
  return flush.kind === "flush" ? flush.number : 0;
}

describe("messages for a worker of another host that moves", () => {
  it.each([
    ["its channel ends", (slot: number) => [encodePeerFrame({ kind: "away", slot })], [here(2)]],
    ["it has another channel, and the end of the old one is told later", () => [here(2)], []],
  ])("go behind what comes back from its old channel when %s", async (_name, begin, after) => {
    await using rig = await linkedWithRaw();
    const { raw, client, say } = rig;
    client.request("1", "echo/1");
    client.publish("news", "default", "2");
    const [call, event] = [await nextMessage(raw), await nextMessage(raw)];
    say(...begin(1));
    const number = await numberOfFlush(raw, 1);
    client.publish("news", "default", "3");
    client.request("4", "echo/4");
    await client.settled();
    say(bounceOf(call), bounceOf(event), ...after);
    say(encodePeerFrame({ kind: "flushed", number }));
    const extra = await nextOfKind(raw, "flush");
    say(encodePeerFrame({ kind: "flushed", number: extra.kind === "flush" ? extra.number : 0 }));
    const came = [await nextMessage(raw), await nextMessage(raw), await nextMessage(raw), await nextMessage(raw)];
    expect(came.map(({ name, slot, what }) => [name, slot, "event" in what ? what.event : undefined])).toEqual([
      ["1", 2, undefined],
      ["2", 0, 1],
      ["3", 0, 0],
      ["4", 2, undefined],
    ]);
    expect(rig.host.counters()).toMatchObject({ droppedEvents: 0, skippedEvents: 0 });
  });

  it("go to the worker that has the type when its place changes while they wait for the one before", async () => {
    await using rig = await linkedWithRaw();
    const { raw, client, say, cluster, joined } = rig;
    client.request("1", "echo/1");
    expect(await nextMessage(raw)).toMatchObject({ name: "1", slot: 1 });
    say(encodePeerFrame({ kind: "away", slot: 1 }));
    const number = await numberOfFlush(raw, 1);
    say(encodePeerFrame({ kind: "flushed", number }));
    client.request("2", "echo/2");
    client.publish("news", "default", "3");
    await client.settled();
    const view = cluster.viewOf("h2");
    view.releaseType("echo");
    await view.claimType({ agentType: "echo", clientId: "T2", isShared: false });
    say(here(3, "T2"));
    joined.typeChanged("echo");
    expect(await nextMessage(raw)).toMatchObject({ name: "2", slot: 3 });
    expect(await nextMessage(raw)).toMatchObject({ name: "3", what: { event: 0 } });
  });

  it("are not lost when the link ends before what was on it has come back", async () => {
    await using rig = await linkedWithRaw();
    const { raw, client, say } = rig;
    client.request("1", "echo/1");
    await nextMessage(raw);
    say(encodePeerFrame({ kind: "away", slot: 1 }));
    await numberOfFlush(raw, 1);
    client.request("2", "echo/2");
    await client.settled();
    raw.streams[0]?.abort({ code: 14, details: "The test ends the link." });
    expect(await client.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "disconnected" } });
    // The next link tells of the worker in slot 1 again.
    expect(await nextMessage(raw)).toMatchObject({ name: "2", slot: 1 });
  });
});

describe("what a host has sent to others", () => {
  /** The next question of the host on its link. */
  async function question(raw: { next(): Promise<PeerFrame> }) {
    for (;;) {
      const { notice } = await nextNotice(raw);
      const heartbeat = decodeFrame(notice);
      if (heartbeat.kind === "heartbeat" && !heartbeat.isAnswer) return heartbeat;
    }
  }

  it("counts as read when each of them has answered a question that was sent behind it, or has lost its link", async () => {
    await using rig = await linkedWithRaw();
    const { raw, client, say, others } = rig;
    client.request("1", "echo/1");
    await client.settled();
    let isRead = false;
    const read = others.now.wasRead().then(() => {
      isRead = true;
    });
    expect(await raw.next()).toMatchObject({ kind: "hello" });
    expect(await nextMessage(raw)).toMatchObject({ name: "1" });
    const { seq } = await question(raw);
    const answer = (to: number) => encodeFrame({ kind: "heartbeat", seq: to, isAnswer: true, leaseMs: 0 });
    say(encodePeerFrame({ kind: "notice", notice: answer(seq - 1) }));
    client.request("2", "echo/2");
    await nextMessage(raw);
    expect(isRead).toBe(false);
    say(encodePeerFrame({ kind: "notice", notice: answer(seq) }));
    await read;
    const next = others.now.wasRead();
    await question(raw);
    raw.streams[0]?.abort({ code: 14, details: "The test ends the link." });
    await next;
  });
});

describe("an event of another host for a type that no worker serves here", () => {
  const event = encodeFrame({
    kind: "event",
    event: {
      ...{ id: "e", topicType: "news", topicSource: "default", sender: undefined, attributes: {} },
      payload: textPayload("x".repeat(1_500)),
    },
  });
  const eventBytes = (number: number) =>
    new Uint8Array(joinFrame(encodePeerEvent([{ slot: 0, types: ["echo"] }], event, number)));
  const hello = encodePeerFrame(helloOfHost("h2"));

  it("goes back, with its types and its number", async () => {
    await using waiting = await openWaitingHost({ keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello, eventBytes(3)]);
    const bounce = await nextOfKind(link, "bounce");
    expect(bounce).toMatchObject({ what: { event: 3 }, types: ["echo"], frame: event });
    expect(waiting.servicer.counters()).toMatchObject({ droppedEvents: 0, skippedEvents: 0 });
    link.stream.cancel();
  });

  it("is dropped and counted when it finds no space on the way back, and the link lives on", async () => {
    await using waiting = await openWaitingHost({ bounds: { maxQueuedBytes: 4_000 }, keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello]);
    await nextOfKind(link, "barrier");
    link.stream.pause();
    for (let number = 1; number <= 8; number += 1) link.stream.send(eventBytes(number));
    while (waiting.servicer.counters().events < 8) await new Promise((resolve) => setImmediate(resolve));
    const { droppedEvents } = waiting.servicer.counters();
    expect(droppedEvents).toBeGreaterThan(0);
    link.stream.resume();
    for (let left = 8 - droppedEvents; left > 0; left -= 1) await nextOfKind(link, "bounce");
    expect(waiting.joined.linkedHosts().from).toEqual(["h2"]);
    link.stream.cancel();
  });
});
