import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type CallContext, StatusCode } from "../../../transport/internal.ts";
import type { LinkCase } from "./contract-case.ts";
import { endsWithStatus, message, rejectsWith, sameBytes } from "./expectations.ts";
import { StreamRecorder } from "./stream-recorder.ts";
import { HangingService, serveStream } from "./test-service.ts";

export const endingCases: readonly LinkCase[] = [
  {
    promise: "a stream cancelled by the client ends at the server by its peer, without a half-close",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      let call: CallContext | undefined;
      const { link } = await lab.connect({
        stream(context) {
          call = context;
          return server;
        },
      });
      const stream = link.openStream("OpenChannel", client);
      stream.send(message(1));
      await server.has("frame");
      stream.cancel();
      stream.cancel();
      deepEqual(await client.ended(), { by: "cancelled" });
      deepEqual(await server.ended(), { by: "peer" });
      equal(server.count("half-close"), 0);
      equal(call?.signal.aborted, true);
      equal(stream.send(message(1)), false);
      equal(server.stream.send(message(1)), false);
    },
  },
  {
    promise: "a stream cancelled before it was sent ends as cancelled",
    async tryIt(lab) {
      const client = new StreamRecorder();
      const { link } = await lab.connect();
      const stream = link.openStream("OpenChannel", client);
      stream.cancel();
      equal(client.count("end"), 0, "the end must come in a turn of its own");
      deepEqual(await client.ended(), { by: "cancelled" });
      sameBytes(await link.unary("Echo", message(3)), message(3));
    },
  },
  {
    promise: "a stream cancelled by the server ends at the client by its peer",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      link.openStream("OpenChannel", client);
      (await server.opened()).cancel();
      deepEqual(await client.ended(), { by: "peer" });
      deepEqual(await server.ended(), { by: "cancelled" });
      sameBytes(await link.unary("Echo", message(3)), message(3));
    },
  },
  {
    promise: "a receiver that throws ends its own stream with an internal status, and no other",
    async tryIt(lab) {
      class Thrower extends StreamRecorder {
        override onFrame(): void {
          throw new Error("a bug in the receiver");
        }
      }
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(new Thrower()));
      link.openStream("OpenChannel", client).send(message(1));
      match(endsWithStatus(await client.ended(), StatusCode.internal), /a bug in the receiver/);
      sameBytes(await link.unary("Echo", message(3)), message(3));
    },
  },
  {
    promise: "closing a link ends its calls at both ends; closing again does nothing",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link } = await lab.connect(serveStream(server));
      link.openStream("OpenChannel", client);
      await server.opened();
      await Promise.all([link.close(), link.close()]);
      await link.close();
      deepEqual(await client.ended(), { by: "cancelled" });
      ok(["peer", "connection-lost"].includes((await server.ended()).by));
      ok((await link.closed) !== "");
      await rejectsWith(StatusCode.unavailable, link.unary("Echo", message(1)));
    },
  },
  {
    promise: "an unused link can be closed",
    async tryIt(lab) {
      const link = lab.dial(lab.network(), "127.0.0.1:9");
      await link.close();
      ok((await link.closed) !== "");
      await rejectsWith(StatusCode.unavailable, link.ready());
    },
  },
  {
    promise: "a server that closes ends running calls: each has an outcome, and the link reports its end",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const hanging = new HangingService();
      const { link, listening } = await lab.connect({ ...serveStream(server), unary: hanging.unary });
      link.openStream("OpenChannel", client);
      const refused = rejectsWith(StatusCode.unavailable, link.unary("Echo", message(1)));
      await Promise.all([server.opened(), hanging.started]);
      await Promise.all([listening.close(), listening.close()]);
      await listening.closed;
      equal((await client.ended()).by, "connection-lost");
      equal((await server.ended()).by, "connection-lost");
      await refused;
      await hanging.aborted;
      ok((await link.closed) !== "");
      const late = new StreamRecorder();
      link.openStream("OpenChannel", late);
      endsWithStatus(await late.ended(), StatusCode.unavailable);
    },
  },
  {
    promise: "a server that closes with grace lets running calls finish and refuses new ones",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link, listening } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", client);
      await server.opened();
      const closing = listening.close(60_000);
      stream.send(message(1));
      await server.has("frame");
      server.stream.send(message(2));
      server.stream.finish({ code: StatusCode.ok, details: "" });
      endsWithStatus(await client.ended(), StatusCode.ok);
      equal(client.count("frame"), 1);
      await closing;
      await link.closed;
      await rejectsWith(StatusCode.unavailable, link.unary("Echo", message(1)));
    },
  },
];
