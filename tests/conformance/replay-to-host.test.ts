import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Host } from "../../src/host/index.ts";
import {
  asciiBytes,
  decodeFrame,
  decodeGetSubscriptionsResponse,
  emptyMessage,
  encodeFrame,
  peekFrame,
  requestIdText,
  withRequestId,
} from "../../src/protocol/index.ts";
import { grpcListener, StatusCode } from "../../src/transport/index.ts";
import { type CapturedChannel, CapturedWorker, type UnaryOutcome } from "./support/captured-worker.ts";
import { bytesOf, type CapturedCall, capturedCall, capturedClient, hexOf, pythonWire } from "./support/python-wire.ts";

/** Where our host ends a captured call otherwise than Python's on purpose (protocol.md §2.2, H11, H15). */
const deliberate: Readonly<Record<number, { readonly status: number; readonly details: string }>> = {
  17: { status: StatusCode.ok, details: "" },
  18: { status: StatusCode.ok, details: "" },
  19: { status: StatusCode.notFound, details: "Subscription does not exist" },
};

/** All captured connections at once, each message sent and awaited in the order of time. */
class Replay implements AsyncDisposable {
  readonly #address: string;
  readonly #workers = new Map<string | null, CapturedWorker>();
  readonly #channels = new Map<number, CapturedChannel>();
  /** By call and captured id: the id that our host gave the request it forwarded there. */
  readonly #ownIds = new Map<string, string>();

  constructor(address: string) {
    this.#address = address;
  }

  async run(): Promise<void> {
    const answers = new Map<number, UnaryOutcome>();
    for (const { call, direction, hex, description } of pythonWire.messages) {
      const captured = capturedCall(call);
      this.#openChannelsUpTo(call);
      if (direction === "client->host") {
        if (captured.path.endsWith("/OpenChannel")) this.channel(call).write(this.#fromWorker(call, bytesOf(hex)));
        else answers.set(call, await this.worker(captured.clientId).unary(captured, bytesOf(hex)));
      } else if (captured.path.endsWith("/OpenChannel")) {
        const own = await this.channel(call).inbox.take();
        expect(hexOf(this.#toWorker(call, bytesOf(hex), own)), description).toBe(hex);
      } else {
        expect(hexOf(answers.get(call)?.message ?? new Uint8Array([0])), description).toBe(hex);
      }
    }
    for (const [call, outcome] of answers) expectSameEnd(call, outcome);
  }

  worker(clientId: string | null): CapturedWorker {
    const worker = this.#workers.get(clientId) ?? new CapturedWorker(this.#address);
    this.#workers.set(clientId, worker);
    return worker;
  }

  channel(call: number): CapturedChannel {
    const channel = this.#channels.get(call);
    if (channel === undefined) throw new Error(`call ${call} is no open channel`);
    return channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#workers.values(), (worker) => worker[Symbol.asyncDispose]()));
  }

  /** Calls are numbered in the order in which they were made, and a channel says nothing for a while. */
  #openChannelsUpTo(last: number): void {
    for (const [number, call] of Object.entries(pythonWire.calls)) {
      const at = Number(number);
      if (at > last || !call.path.endsWith("/OpenChannel") || this.#channels.has(at)) continue;
      this.#channels.set(at, this.worker(call.clientId).openChannel(call));
    }
  }

  /** A captured answer carries the id that our host gave the request. */
  #fromWorker(call: number, bytes: Uint8Array): Uint8Array {
    const peeked = peekFrame(bytes);
    if (peeked.kind !== "response") return bytes;
    const own = this.#ownIds.get(`${call} ${requestIdText(peeked)}`);
    if (own === undefined) throw new Error("the captured worker answers what our host has not asked");
    return withRequestId(peeked, asciiBytes(own));
  }

  /** What our host sent, under the captured request id if it is a forwarded request. */
  #toWorker(call: number, captured: Uint8Array, own: Uint8Array): Uint8Array {
    const [peekedOwn, peekedCaptured] = [peekFrame(own), peekFrame(captured)];
    if (peekedOwn.kind !== "request" || peekedCaptured.kind !== "request") return own;
    const capturedId = requestIdText(peekedCaptured);
    this.#ownIds.set(`${call} ${capturedId}`, requestIdText(peekedOwn));
    return withRequestId(peekedOwn, asciiBytes(capturedId));
  }
}

function expectSameEnd(call: number, outcome: UnaryOutcome): void {
  const { end, path } = capturedCall(call);
  const wanted = deliberate[call] ?? { status: end?.grpcStatus, details: end?.grpcMessage };
  const title = `${path}, call ${call}`;
  expect({ status: outcome.status, details: outcome.details }, title).toEqual(wanted);
  expect(outcome.headers, title).toMatchObject({ ":status": 200, "content-type": "application/grpc" });
  if (deliberate[call] === undefined) expect(outcome.isTrailersOnly, title).toBe(end?.trailersOnly);
}

describe("real Python workers' traffic, replayed to our host", () => {
  let host: Host;
  let replay: Replay;
  const w1 = 1;
  const w2 = 8;
  const w3 = 11;

  beforeEach(async () => {
    host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" });
    await host.start();
    replay = new Replay(host.address);
  });

  afterEach(async () => {
    await replay[Symbol.asyncDispose]();
    await host.stop({ graceMs: 0 });
  });

  test("every message that Python's host sent comes from ours too, byte for byte, and every call ends alike [§8.51] [§8.52] [§8.56]", async () => {
    await replay.run();
  });

  test("nothing is sent that Python's host did not send", async () => {
    await replay.run();
    await Promise.all([barrier(w1), barrier(w2), barrier(w3)]);
    for (const call of [w1, w2, w3]) expect(replay.channel(call).inbox.rest).toEqual([]);
  });

  test("a channel is answered with Python's headers before any message [§8.11]", async () => {
    const wanted = Object.fromEntries(pythonWire.responseHeaders);
    const channel = replay.worker(capturedClient("w1")).openChannel(capturedCall(w1));
    expect(await channel.headers).toMatchObject({
      ":status": Number(wanted[":status"]),
      "content-type": wanted["content-type"],
    });
    expect(channel.inbox.rest).toEqual([]);
  });

  test("a channel reset with CANCEL, as a stopping Python worker does, frees the types and subscriptions [§8.24]", async () => {
    await replay.run();
    await replay.channel(w1).cancel();
    const left = await subscriptionsSeenBy("w1");
    expect(left.map(({ pattern }) => pattern?.agentType).sort()).toEqual(["caller", "psub", "psub"]);
    replay.channel(w2).write(requestTo("target", "gone"));
    const answer = decodeFrame(await replay.channel(w2).inbox.take());
    expect(answer).toMatchObject({ kind: "response", requestId: "gone", error: "Agent type target not found." });
  });

  test("after the captured workers have left, the host keeps nothing of them [§8.24]", async () => {
    await replay.run();
    for (const [call, worker] of [
      [w1, "w1"],
      [w2, "w2"],
      [w3, "w3"],
    ] as const) {
      await replay.channel(call).cancel();
      // On the same connection: what it asks comes after its reset.
      await subscriptionsSeenBy(worker);
    }
    expect(await subscriptionsSeenBy("w3")).toEqual([]);
    const { channels, pendingCalls, agentTypes, subscriptions } = host.counters();
    expect({ channels, pendingCalls, agentTypes, subscriptions }).toEqual({
      channels: 0,
      pendingCalls: 0,
      agentTypes: 0,
      subscriptions: 0,
    });
  });

  /** Everything sent to this channel so far has arrived when the answer to a call that nobody can take has. */
  async function barrier(call: number): Promise<void> {
    const channel = replay.channel(call);
    channel.write(requestTo("barrier", "barrier"));
    expect(decodeFrame(await channel.inbox.take())).toMatchObject({ kind: "response", requestId: "barrier" });
  }

  async function subscriptionsSeenBy(worker: "w1" | "w2" | "w3") {
    const clientId = capturedClient(worker);
    const call: CapturedCall = { path: "/agents.AgentRpc/GetSubscriptions", clientId, end: null };
    const { message = emptyMessage } = await replay.worker(clientId).unary(call, emptyMessage);
    return decodeGetSubscriptionsResponse(message);
  }
});

function requestTo(type: string, requestId: string): Uint8Array {
  const target = { type, key: "k" };
  return encodeFrame({ kind: "request", requestId, source: undefined, target, payload: undefined, metadata: {} });
}
