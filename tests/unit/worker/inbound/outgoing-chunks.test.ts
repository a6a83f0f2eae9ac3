import { expect, test } from "vitest";
import { z } from "zod";
import { defineMessage } from "../../../../src/core/index.ts";
import { CodecRegistry } from "../../../../src/core/internal.ts";
import { createMemoryNetwork, type FrameStream } from "../../../../src/transport/index.ts";
import { Outbox } from "../../../../src/worker/connection/outbox.ts";
import { StateStream } from "../../../../src/worker/connection/streams/state-stream.ts";
// Inside the room: users see only how fast chunks leave.
import { OutgoingChunks } from "../../../../src/worker/inbound/outgoing-chunks.ts";
import { workerSettings } from "../../../../src/worker/worker-options.ts";

const Line = defineMessage("Line", z.object({ text: z.string() }));

/** The chunks of a call by a stream to the host that is full. */
function openChunks(grantedBytes: number) {
  const stream: FrameStream = {
    ...{ send: () => false, maxSendBytes: 1_000_000, queuedBytes: 70_000, queuedFrames: 1 },
    ...{ unsentFrames: 0, unconfirmedFrames: 0, unreadFrames: 0, receivedBytes: 0 },
    ...{ beforeAsking: () => () => {}, pause: () => {}, resume: () => {} },
    ...{ end: () => {}, cancel: () => {}, flushed: async () => {} },
  };
  const settings = workerSettings({ dialer: createMemoryNetwork(), address: "memory:1" });
  const states = new StateStream({ settings, openStream: () => stream, onFullness: () => {} });
  const limits = { maxMessageBytes: 1_000_000, stockHostMaxBytes: 1_000, maxKeptMessages: 1, maxKeptBytes: 1_000 };
  const outbox = new Outbox({ stream, states, onCall: () => {}, expectsAnnouncement: false, ...limits });
  outbox.host.take(true, new Set(["streams"]));
  const registry = new CodecRegistry();
  registry.add(Line);
  const chunks = OutgoingChunks.of({ requestId: "1", outbox, registry, settings }, { agstream: String(grantedBytes) });
  if (chunks === undefined) throw new Error("the host knows streams");
  return { chunks, outbox };
}

/** Whether a promise has settled when all that waits for nothing has run. */
async function hasSettled(promise: Promise<void> | undefined): Promise<boolean> {
  let isOver = promise === undefined;
  void promise?.then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return isOver;
}

test("chunks wait while the worker's way to its host is full, however much their readers have granted", async () => {
  const { chunks, outbox } = openChunks(64_000);
  const waits = chunks.put(Line({ text: "one" }));
  expect(await hasSettled(waits)).toBe(false);
  outbox.drained();
  expect(await hasSettled(waits)).toBe(true);
});

test("a chunk that waits for its reader and for the way to the host waits for both", async () => {
  const { chunks, outbox } = openChunks(50);
  const waits = chunks.put(Line({ text: "one" }));
  chunks.grant(1_000);
  expect(await hasSettled(waits)).toBe(false);
  outbox.drained();
  expect(await hasSettled(waits)).toBe(true);
});

test("no chunk waits for a way to the host that has ended", async () => {
  const { chunks, outbox } = openChunks(64_000);
  const waits = chunks.put(Line({ text: "one" }));
  outbox.close({ code: "disconnected", text: "gone" });
  expect(await hasSettled(waits)).toBe(true);
  expect(await hasSettled(chunks.put(Line({ text: "two" })))).toBe(true);
});
