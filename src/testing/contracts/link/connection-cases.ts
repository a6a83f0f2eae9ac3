import { equal, match, notEqual, ok } from "node:assert/strict";
import { StatusCode } from "../../../transport/internal.ts";
import type { LinkCase } from "./contract-case.ts";
import { endsWithStatus, message, rejectsWith, sameBytes, throwsWith } from "./expectations.ts";
import { StreamRecorder } from "./stream-recorder.ts";
import { serveStream } from "./test-service.ts";

export const connectionCases: readonly LinkCase[] = [
  {
    promise: "listening on port 0 gives a real port, a different one each time",
    async tryIt(lab) {
      const network = lab.network();
      const first = await lab.listen(network);
      const second = await lab.listen(network);
      match(first.address, /^127\.0\.0\.1:[1-9]\d*$/);
      notEqual(first.address, second.address);
    },
  },
  {
    promise: "an address in use is refused as unavailable, and free again after its server has closed",
    async tryIt(lab) {
      const network = lab.network();
      const first = await lab.listen(network);
      const error = await rejectsWith(StatusCode.unavailable, network.listener.listen(first.address, []));
      ok(error.message.includes(first.address), error.message);
      await first.close();
      const second = await network.listener.listen(first.address, []);
      equal(second.address, first.address);
      await second.close();
    },
  },
  {
    promise: "a malformed address is refused as an invalid argument",
    async tryIt(lab) {
      const { listener, dialer } = lab.network();
      for (const address of ["", "localhost", "127.0.0.1:99999", "ftp://x:1", "a b:1", "::1:80"]) {
        await rejectsWith(StatusCode.invalidArgument, listener.listen(address, []));
        throwsWith(StatusCode.invalidArgument, () => dialer.dial(address));
      }
    },
  },
  {
    promise: "a link is ready once the server answers, and dialling takes a URL too",
    async tryIt(lab) {
      const network = lab.network();
      const { address } = await lab.listen(network);
      const link = lab.dial(network, `http://${address}`);
      await link.ready();
      await link.ready();
      sameBytes(await link.unary("Echo", message(1)), message(1));
    },
  },
  {
    promise: "if no server listens, every call fails as unavailable and names the address",
    async tryIt(lab) {
      const network = lab.network();
      const gone = await lab.listen(network);
      await gone.close();
      const link = lab.dial(network, gone.address);
      const client = new StreamRecorder();
      link.openStream("OpenChannel", client);
      const error = await rejectsWith(StatusCode.unavailable, link.ready());
      ok(error.message.includes(gone.address), error.message);
      endsWithStatus(await client.ended(), StatusCode.unavailable);
      await rejectsWith(StatusCode.unavailable, link.unary("Echo", message(1)));
      ok((await link.closed).includes(gone.address));
    },
  },
  {
    promise: "a signal cancels the wait for a connection",
    async tryIt(lab) {
      const network = lab.network();
      const { address } = await lab.listen(network);
      await rejectsWith(StatusCode.cancelled, lab.dial(network, address).ready({ signal: AbortSignal.abort() }));
    },
  },
  {
    promise: "a link leaves when its server takes no new calls, and its running calls continue",
    async tryIt(lab) {
      const server = new StreamRecorder();
      const client = new StreamRecorder();
      const { link, listening } = await lab.connect(serveStream(server));
      const stream = link.openStream("OpenChannel", client);
      const served = await server.opened();
      const closing = listening.close(10_000);
      match(await link.leaving, /takes no new calls/);
      stream.send(message(1));
      await server.has("frame");
      served.send(message(2));
      await client.has("frame");
      equal((await rejectsWith(StatusCode.unavailable, link.unary("Echo", message(1)))).origin, "local");
      served.finish({ code: StatusCode.ok, details: "" });
      await client.ended();
      await closing;
    },
  },
  {
    promise: "a closed link has left, too",
    async tryIt(lab) {
      const { link } = await lab.connect();
      await link.ready();
      await link.close();
      equal(await link.leaving, await link.closed);
    },
  },
  {
    promise: "many concurrent links and calls do not interfere",
    async tryIt(lab) {
      const network = lab.network();
      const { address } = await lab.listen(network);
      const links = [1, 2, 3].map(() => lab.dial(network, address));
      const calls = links.flatMap((link, from) =>
        Array.from({ length: 150 }, async (_, index) => {
          const request = message(index, from);
          sameBytes(await link.unary("Echo", request), request);
        }),
      );
      await Promise.all(calls);
    },
  },
];
