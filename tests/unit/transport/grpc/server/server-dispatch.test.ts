import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { createUncountedAccount } from "../../../../../src/transport/accounting/fair-accountant.ts";
import { DeliveryAcknowledgements } from "../../../../../src/transport/grpc/connection/delivery-acknowledgements.ts";
import { UnfinishedMessages } from "../../../../../src/transport/grpc/connection/unfinished-messages.ts";
import { ServerDispatch } from "../../../../../src/transport/grpc/server/server-dispatch.ts";
import { FairTurns } from "../../../../../src/transport/grpc/turns/fair-turns.ts";
import { toMessageLimits } from "../../../../../src/transport/limits.ts";
import type { LinkService } from "../../../../../src/transport/link.ts";
import { createListenerCounters } from "../../../../../src/transport/listener-counters.ts";
import { StatusCode } from "../../../../../src/transport/rpc-status.ts";
import { Inbox } from "../../../../support/inbox.ts";

const opened: { close(): void }[] = [];

afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

/** A server whose turns and whose clock the test moves, and a client of it. */
async function setUp() {
  const clock = new ManualClock();
  const planned: (() => void)[] = [];
  const turns = new FairTurns({ now: () => 0, later: (act) => planned.push(act) });
  const lane = turns.join("client");
  const streams = new Inbox<string>();
  const service: LinkService = {
    serviceName: "agents.AgentRpc",
    unaryMethods: new Set(),
    streamMethods: new Set(["OpenChannel"]),
    unary: async (request) => request,
    stream: (call) => {
      streams.put(call.method);
      return { onOpen() {}, onFrame() {}, onBadFrame() {}, onHalfClose() {}, onDrain() {}, onEnd() {} };
    },
  };
  const dispatch = new ServerDispatch({
    ...{ services: [service], limits: toMessageLimits({}), counters: createListenerCounters(), clock },
    ...{ maxHeaderBytes: 10_000, requestTimeoutMs: 30_000 },
  });
  const origin = {
    ...{
      peer: "client",
      lossReason: () => undefined,
      certificate: () => undefined,
      account: createUncountedAccount(),
      lane,
    },
    ...{ unfinished: new UnfinishedMessages(30_000), acknowledgements: new DeliveryAcknowledgements() },
  };
  const server = createServer();
  const accepted = new Inbox<ServerHttp2Stream>();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    dispatch.accept(stream, { headers, rawHeaders: raw }, origin);
    accepted.put(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  const client = connect(`http://127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`);
  opened.push(client, server);
  return {
    ...{ clock, accepted, streams },
    /** Uses up the connection's share of the turn, so that what comes waits. */
    hold: () => lane.charge(3),
    turn: () => {
      for (const act of planned.splice(0)) act();
    },
    call: (headers: Record<string, string> = {}) => callOf(client, headers),
  };
}

function callOf(client: ClientHttp2Session, headers: Record<string, string>): ClientHttp2Stream {
  return client.request({
    ...{
      ":method": "POST",
      ":path": "/agents.AgentRpc/OpenChannel",
      "content-type": "application/grpc",
      te: "trailers",
    },
    ...headers,
  });
}

async function statusOf(call: ClientHttp2Stream): Promise<string | undefined> {
  let status: string | undefined;
  const note = (headers: Record<string, unknown>) => {
    status = status ?? (headers["grpc-status"] === undefined ? undefined : String(headers["grpc-status"]));
  };
  call.on("response", note);
  call.on("trailers", note);
  call.resume();
  await once(call, "close");
  return status;
}

describe("a call that comes while its connection waits", () => {
  it("is opened in the connection's turn, not before", async () => {
    const { hold, turn, call, accepted, streams } = await setUp();
    hold();
    call();
    await accepted.take();
    expect(streams.rest).toEqual([]);
    turn();
    expect(streams.rest).toEqual(["OpenChannel"]);
  });

  it("has its grpc-timeout from its arrival: one that is over in its turn is not opened", async () => {
    const { hold, turn, call, accepted, streams, clock } = await setUp();
    hold();
    const status = statusOf(call({ "grpc-timeout": "100m" }));
    await accepted.take();
    clock.advance(100);
    turn();
    expect(await status).toBe(String(StatusCode.deadlineExceeded));
    expect(streams.rest).toEqual([]);
  });

  it("has the rest of its grpc-timeout when it is opened", async () => {
    const { hold, turn, call, accepted, streams, clock } = await setUp();
    hold();
    const status = statusOf(call({ "grpc-timeout": "100m" }));
    await accepted.take();
    clock.advance(60);
    turn();
    expect(streams.rest).toEqual(["OpenChannel"]);
    clock.advance(40);
    expect(await status).toBe(String(StatusCode.deadlineExceeded));
  });
});
