import { deepEqual, equal, ok } from "node:assert/strict";
import { RpcError, StatusCode } from "../../../transport/internal.ts";
import type { LinkCase } from "./contract-case.ts";
import { endsWithStatus, message, sameBytes, sameFrames, throwsWith } from "./expectations.ts";
import { StreamRecorder } from "./stream-recorder.ts";
import { serveStream } from "./test-service.ts";

const OK = { code: StatusCode.ok, details: "" };

export const streamCases: readonly LinkCase[] = [
  {
    promise: "frames of any size arrive whole and in order, both ways",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      const sizes = [0, 1, 3, 16_384, 16_385, 5, 70_000, 1, 0, 300_000, 2, 5_000_000, 9];
      const frames = [...sizes, ...sizes].map((size, index) => message(size, index));
      const stream = link.openStream("OpenChannel", client);
      for (const frame of frames) stream.send(frame);
      await server.has("frame", frames.length);
      sameFrames(server.frames, frames);
      for (const frame of frames) server.stream.send(frame);
      await client.has("frame", frames.length);
      sameFrames(client.frames, frames);
    },
  },
  {
    promise: "a stream is usable before the connection is established and before the server sends anything",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", new StreamRecorder(), { metadata: { "client-id": "c1" } });
      stream.send(message(10));
      await server.has("frame");
      sameBytes(server.frames[0], message(10));
    },
  },
  {
    promise: "the server is given its stream first, before any frame",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      link.openStream("OpenChannel", new StreamRecorder()).send(message(1));
      await server.has("frame");
      deepEqual(
        server.events.map((event) => event.on),
        ["open", "frame"],
      );
    },
  },
  {
    promise: "the server's response metadata reaches the client once, before the first frame",
    async tryIt(lab) {
      const server = new StreamRecorder({ agtroupe: "1", "x-note": "a b" });
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      link.openStream("OpenChannel", client);
      await client.has("metadata");
      (await server.opened()).send(message(1));
      await client.has("frame");
      deepEqual(
        client.events.map((event) => event.on),
        ["metadata", "frame"],
      );
      const [said] = client.events;
      ok(said?.on === "metadata");
      equal(said.metadata.agtroupe, "1");
      equal(said.metadata["x-note"], "a b");
      equal(server.count("metadata"), 0);
    },
  },
  {
    promise: "a receiver that answers later reads first, and its metadata reaches the client when it responds, once",
    async tryIt(lab) {
      const server = new StreamRecorder({}, { answersLater: true });
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      link.openStream("OpenChannel", client).send(message(1));
      await server.has("frame");
      equal(client.count("metadata"), 0);
      server.stream.respond({ agtroupe: "1" });
      server.stream.respond({ agtroupe: "2" });
      server.stream.send(message(2));
      await client.has("frame");
      deepEqual(
        client.events.map((event) => event.on),
        ["metadata", "frame"],
      );
      const [said] = client.events;
      ok(said?.on === "metadata");
      equal(said.metadata.agtroupe, "1");
      server.stream.finish(OK);
      deepEqual(await client.ended(), { by: "status", status: OK, origin: "peer" });
    },
  },
  {
    promise: "a receiver that refuses before it responds sends its status alone, however it ends the stream",
    async tryIt(lab) {
      for (const how of ["finish", "abort"] as const) {
        const server = new StreamRecorder({ agtroupe: "1" }, { answersLater: true });
        const client = new StreamRecorder();
        const { link } = await lab.connect(serveStream(server));
        link.openStream("OpenChannel", client).send(message(1));
        const status = { code: StatusCode.permissionDenied, details: "no" };
        await server.has("frame");
        server.stream[how](status);
        server.stream.respond();
        deepEqual(await client.ended(), { by: "status", status, origin: "peer" });
        deepEqual(await server.ended(), { by: "status", status });
        equal(client.count("metadata"), 0);
      }
    },
  },
  {
    promise: "a client that hangs up before the server responds ends the stream",
    async tryIt(lab) {
      const server = new StreamRecorder({}, { answersLater: true });
      const { link } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", new StreamRecorder());
      stream.send(message(1));
      await server.has("frame");
      stream.cancel();
      deepEqual(await server.ended(), { by: "peer" });
      server.stream.respond();
    },
  },
  {
    promise: "response metadata that headers cannot carry refuses the call as an invalid argument",
    async tryIt(lab) {
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(new StreamRecorder({ note: "schön" })));
      link.openStream("OpenChannel", client);
      endsWithStatus(await client.ended(), StatusCode.invalidArgument);
      equal(client.count("metadata"), 0);
    },
  },
  {
    promise: "after the client half-closes, the server can still send and end with a status",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", client);
      stream.send(message(1));
      stream.end();
      equal(stream.send(message(2)), false);
      await server.has("half-close");
      sameFrames(server.frames, [message(1)]);
      server.stream.send(message(3));
      server.stream.send(message(4));
      server.stream.finish({ code: StatusCode.aborted, details: "replaced by a newer channel" });
      equal(endsWithStatus(await client.ended(), StatusCode.aborted), "replaced by a newer channel");
      sameFrames(client.frames, [message(3), message(4)]);
      endsWithStatus(await server.ended(), StatusCode.aborted);
      equal(client.count("half-close"), 0);
      equal(client.count("end") + server.count("end"), 2);
    },
  },
  {
    promise: "the server can end a stream that the client has not half-closed",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", client);
      const opened = await server.opened();
      opened.send(message(100_000));
      opened.finish(OK);
      endsWithStatus(await client.ended(), StatusCode.ok);
      sameFrames(client.frames, [message(100_000)]);
      endsWithStatus(await server.ended(), StatusCode.ok);
      equal(stream.send(message(1)), false);
    },
  },
  {
    promise: "a service that throws an RpcError refuses the stream with that status",
    async tryIt(lab) {
      const client = new StreamRecorder();
      const { link } = await lab.connect({
        stream(call) {
          throw new RpcError(StatusCode.invalidArgument, `client-id metadata not found by ${call.method}.`);
        },
      });
      link.openStream("OpenChannel", client).send(message(1));
      const details = endsWithStatus(await client.ended(), StatusCode.invalidArgument);
      equal(details, "client-id metadata not found by OpenChannel.");
      deepEqual(
        client.events.map((event) => event.on),
        ["end"],
      );
    },
  },
  {
    promise: "a message over the receiver's limit is reported and skipped; the stream stays open",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server), { maxReceiveMessageBytes: 1000 });
      const stream = link.openStream("OpenChannel", client);
      for (const size of [1, 1001, 1000, 200_000, 2]) stream.send(message(size));
      await server.has("frame", 3);
      deepEqual(
        server.events.map((event) => event.on),
        ["open", "frame", "bad-frame", "frame", "bad-frame", "frame"],
      );
      ok(server.badFrames.every((status) => status.code === StatusCode.resourceExhausted));
      server.stream.send(message(5000));
      server.stream.send(message(3));
      await client.has("frame");
      const received = client.events.map((event) => event.on).filter((on) => on.endsWith("frame"));
      deepEqual(received, ["bad-frame", "frame"]);
    },
  },
  {
    promise: "a message over the sending limit is refused immediately; the stream stays open",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server), { maxSendMessageBytes: 1000 });
      const stream = link.openStream("OpenChannel", new StreamRecorder());
      equal(stream.maxSendBytes, 1000);
      throwsWith(StatusCode.resourceExhausted, () => stream.send(message(1001)));
      stream.send(message(1000));
      await server.has("frame");
      sameFrames(server.frames, [message(1000)]);
    },
  },
  {
    promise: "a receiver may change its bytes without affecting other receivers",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", new StreamRecorder());
      const frame = message(50);
      stream.send(frame);
      stream.send(frame);
      await server.has("frame", 2);
      server.frames[0]?.fill(0);
      sameBytes(frame, message(50));
      sameBytes(server.frames[1], message(50));
    },
  },
];
