import { equal, ok } from "node:assert/strict";
import { nextTurn } from "../../../core/internal.ts";
import { StatusCode } from "../../../transport/internal.ts";
import type { LinkCase } from "./contract-case.ts";
import { endsWithStatus, message, sameFrames } from "./expectations.ts";
import { StreamRecorder } from "./stream-recorder.ts";
import { serveStream } from "./test-service.ts";

const KIB = 1024;
const SMALL = { highWaterBytes: 64 * KIB, windowBytes: 64 * KIB };

/** Sends until the stream asks to wait, then continues to the limit; returns the sent frames. */
async function fill(send: (frame: Uint8Array) => boolean, queuedBytes: () => number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  // More than sockets and windows hold: no kernel buffer reaches 16 MiB.
  while (queuedBytes() < 16 * KIB * KIB) {
    const frame = message(240 * KIB, frames.length);
    frames.push(frame);
    send(frame);
    if (frames.length % 16 === 0) await nextTurn();
  }
  return frames;
}

export const flowCases: readonly LinkCase[] = [
  {
    promise:
      "a receiver that pauses holds its peer back; after it resumes, everything arrives in order and onDrain is called",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server), SMALL);
      const stream = link.openStream("OpenChannel", client);
      const opened = await server.opened();
      opened.pause();
      const frames = await fill(
        (frame) => stream.send(frame),
        () => stream.queuedBytes,
      );
      ok(server.count("frame") < frames.length, "the pause held nothing back");
      equal(stream.send(message(1)), false);
      equal(client.count("drain"), 0);
      opened.resume();
      await client.has("drain");
      await server.has("frame", frames.length + 1);
      sameFrames(server.frames, [...frames, message(1)]);
    },
  },
  {
    promise: "a client that pauses holds the server back, and the status waits behind the frames",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server), SMALL);
      const stream = link.openStream("OpenChannel", client);
      const opened = await server.opened();
      opened.send(message(1));
      await client.has("frame");
      stream.pause();
      const frames = await fill(
        (frame) => opened.send(frame),
        () => opened.queuedBytes,
      );
      opened.finish({ code: StatusCode.ok, details: "" });
      ok(client.count("frame") < frames.length);
      stream.resume();
      endsWithStatus(await client.ended(), StatusCode.ok);
      sameFrames(client.frames, [message(1), ...frames]);
    },
  },
  {
    promise: "a paused stream does not delay other streams",
    async tryIt(lab) {
      const held = new StreamRecorder();
      const free = new StreamRecorder();
      const { link } = await lab.connect({ stream: (call) => (call.metadata.held === "1" ? held : free) }, SMALL);
      const slow = link.openStream("OpenChannel", new StreamRecorder(), { metadata: { held: "1" } });
      (await held.opened()).pause();
      await fill(
        (frame) => slow.send(frame),
        () => slow.queuedBytes,
      );
      const quick = link.openStream("OpenChannel", new StreamRecorder());
      for (let index = 0; index < 10; index += 1) quick.send(message(50 * KIB));
      await free.has("frame", 10);
    },
  },
  {
    promise: "a stream full of queued frames can still be cancelled by either side",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server), SMALL);
      const stream = link.openStream("OpenChannel", client);
      (await server.opened()).pause();
      await fill(
        (frame) => stream.send(frame),
        () => stream.queuedBytes,
      );
      const flushed = stream.flushed();
      stream.cancel();
      await flushed;
      equal(stream.queuedBytes, 0);
      equal((await client.ended()).by, "cancelled");
      equal((await server.ended()).by, "peer");
    },
  },
  {
    promise: "a server can abort a stream whose client reads nothing, even after it has asked for an orderly end",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server), SMALL);
      const stream = link.openStream("OpenChannel", client);
      const opened = await server.opened();
      opened.send(message(1));
      await client.has("frame");
      stream.pause();
      await fill(
        (frame) => opened.send(frame),
        () => opened.queuedBytes,
      );
      const flushed = opened.flushed();
      const queuedFrames = opened.queuedFrames + opened.unconfirmedFrames;
      equal(opened.unsentFrames, 0);
      opened.finish({ code: StatusCode.ok, details: "" });
      opened.abort({ code: StatusCode.resourceExhausted, details: "too slow" });
      await flushed;
      equal(opened.queuedBytes, 0);
      equal(opened.queuedFrames, 0);
      equal(opened.unsentFrames + opened.unconfirmedFrames, queuedFrames);
      endsWithStatus(await server.ended(), StatusCode.resourceExhausted);
      endsWithStatus(await client.ended(), StatusCode.resourceExhausted);
    },
  },
  {
    promise: "a server that aborts a stream reports the status if the client has read everything",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      link.openStream("OpenChannel", client);
      const opened = await server.opened();
      opened.send(message(1));
      await client.has("frame");
      opened.abort({ code: StatusCode.resourceExhausted, details: "enough" });
      equal(endsWithStatus(await client.ended(), StatusCode.resourceExhausted), "enough");
      equal(opened.send(message(1)), false);
    },
  },
  {
    promise: "flushed resolves when queued frames were handed over, and immediately when none are queued",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", new StreamRecorder());
      await stream.flushed();
      for (let index = 0; index < 100; index += 1) stream.send(message(10_000));
      ok(stream.queuedBytes > 0);
      equal(stream.queuedFrames, 100);
      await stream.flushed();
      equal(stream.queuedBytes, 0);
      equal(stream.queuedFrames, 0);
      equal(stream.unsentFrames, 0);
      stream.end();
      await server.has("half-close");
      equal(server.count("frame"), 100);
    },
  },
  {
    promise: "frames that did not reach the receiver when a connection breaks count as unsent, unconfirmed or unread",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server), SMALL);
      const stream = link.openStream("OpenChannel", client);
      const opened = await server.opened();
      opened.send(message(1));
      await client.has("frame");
      stream.pause();
      await fill(
        (frame) => opened.send(frame),
        () => opened.queuedBytes,
      );
      const sent = opened.queuedFrames + opened.unconfirmedFrames;
      stream.cancel();
      await server.ended();
      await client.ended();
      equal(opened.unsentFrames + opened.unconfirmedFrames, sent);
      ok(opened.unsentFrames > 0);
      ok(opened.unconfirmedFrames > 0);
      ok(stream.unreadFrames <= opened.unconfirmedFrames);
    },
  },
  {
    promise: "a client that half-closes and gets status OK knows that every frame has arrived",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", client);
      const opened = await server.opened();
      for (let index = 0; index < 100; index += 1) stream.send(message(1_000));
      stream.end();
      await server.has("half-close");
      equal(server.count("frame"), 100);
      opened.send(message(1));
      opened.finish({ code: StatusCode.ok, details: "" });
      await client.ended();
      await server.ended();
      equal(stream.unsentFrames, 0);
      equal(stream.unconfirmedFrames, 0);
      equal(opened.unconfirmedFrames, 0);
    },
  },
];
