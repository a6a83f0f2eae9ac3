import { describe, expect, it } from "vitest";
import { Host } from "../../../../src/host/index.ts";
import type { HostOptions, JoinOthersOptions } from "../../../../src/host/internal.ts";
import { limits } from "../../../../src/host/limits.ts";
import {
  decodeFrame,
  encodeControl,
  encodeFrame,
  encodePeerCall,
  encodePeerEvent,
  encodePeerFrame,
  type Frame,
  joinFrame,
  type PeerFrame,
  type RarePeerFrame,
} from "../../../../src/protocol/internal.ts";
import { type Link, StatusCode } from "../../../../src/transport/index.ts";
import { RawControl } from "../../../support/raw-control.ts";
import { helloOfHost, nextOfKind, openRawHost, openRawLink, openWaitingHost } from "../../../support/raw-link.ts";
import { RawWorker, textOf } from "../../../support/raw-worker.ts";

const hello = encodePeerFrame(helloOfHost("h2"));
const worker = { id: "T", name: "T", version: undefined, labels: {} };
const hereT = {
  kind: "here",
  slot: 1,
  session: 1,
  clientId: "T",
  isAnnounced: false,
  worker,
  isDraining: false,
} as const;

/** A host that is linked with one which does only what a test says. That one claims to have a worker of the type `echo`. */
async function linkedWithRaw(
  options: { readonly host?: HostOptions; readonly join?: Partial<JoinOthersOptions> } = {},
) {
  const waiting = await openWaitingHost({ host: options.host, keepAliveMs: 1_000_000, ...options.join });
  const { network, cluster, servicer } = waiting;
  const host = new Host({ listener: network, address: "127.0.0.1:0", servicer });
  await host.start();
  const raw = await openRawHost(network, [encodePeerFrame({ ...hereT, isDraining: false, capabilities: new Set() })]);
  await cluster.viewOf("h2").claimType({ agentType: "echo", clientId: "T", isShared: false });
  cluster.up({ hostId: "h2", address: raw.address });
  const dial = (): Link => network.dial(host.address);
  return {
    ...{ waiting, cluster, host, raw, dial },
    say: (frame: Parameters<typeof encodePeerFrame>[0]) => raw.streams[0]?.send(encodePeerFrame(frame)),
    [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }),
  };
}

type Request = Extract<Frame, { kind: "request" }>;

/** The next call on a link, as a message of a worker. */
async function nextCall(from: { next(): Promise<PeerFrame> }): Promise<Request> {
  const frame = await nextOfKind(from, "call");
  const request = frame.kind === "call" ? decodeFrame(frame.frame) : undefined;
  if (request?.kind !== "request") throw new Error("A call is a request.");
  return request;
}

function bounceOf({ requestId }: Request, frame: Uint8Array): RarePeerFrame {
  return { kind: "bounce", what: { requestId }, types: [], reason: "", heldBy: undefined, frame };
}

describe("a call that another host hands back", () => {
  it.each<[string, (request: Request) => Frame]>([
    ["for another agent type", (request) => ({ ...request, target: { type: "own", key: "k" } })],
    ["for another agent", (request) => ({ ...request, target: { type: "echo", key: "other" } })],
    ["longer than it was", (request) => ({ ...request, metadata: { more: "x".repeat(100) } })],
    [
      "as an answer",
      ({ requestId }) => ({ ...{ kind: "response", requestId, payload: undefined }, error: "", metadata: {} }),
    ],
  ])("fails if it comes %s", async (_name, forge) => {
    await using rig = await linkedWithRaw();
    const own = await new RawWorker(rig.dial(), "O").join();
    await own.register("own");
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k");
    const request = await nextCall(rig.raw);
    const frame = encodeFrame(forge(request));
    rig.say(bounceOf(request, frame));
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "undeliverable" } });
    expect(await own.settled()).toEqual([]);
  });

  it("keeps none of the keys that only hosts write", async () => {
    await using rig = await linkedWithRaw();
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "echo/k", { metadata: { text: "x".repeat(100) } });
    const request = await nextCall(rig.raw);
    const frame = encodeFrame({ ...request, metadata: { agmail: "1.1", agepoch: "1.1.1" } });
    rig.say(bounceOf(request, frame));
    const flush = await nextOfKind(rig.raw, "flush");
    rig.say({ kind: "flushed", number: flush.kind === "flush" ? flush.number : 0 });
    expect((await nextCall(rig.raw)).metadata).toEqual({});
  });
});

describe("unary calls of a host that takes no answers", () => {
  const ask = (number: number, clientId = "X"): Uint8Array =>
    encodePeerFrame({
      ...{ kind: "unary", number, method: "GetSubscriptions", clientId, principal: undefined },
      ...{ request: new Uint8Array(0), metadata: {} },
    });

  it("are refused beyond those that an honest host makes, and all have an answer once it reads", async () => {
    await using waiting = await openWaitingHost({ keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello]);
    await nextOfKind(link, "barrier");
    link.stream.pause();
    const count = limits.peerUnaries + 5;
    for (let number = 1; number <= count; number += 1) link.stream.send(ask(number));
    const codes = new Map<number, number>();
    link.stream.resume();
    while (codes.size < count) {
      const answer = await nextOfKind(link, "unary-answer");
      if (answer.kind === "unary-answer") codes.set(answer.number, answer.code);
    }
    const refused = [...codes.values()].filter((code) => code === StatusCode.resourceExhausted);
    expect(refused.length).toBe(5);
    link.stream.send(ask(count + 1));
    expect(await nextOfKind(link, "unary-answer")).toMatchObject({ number: count + 1, code: StatusCode.ok });
  });

  it("leave space for the answers to another client", async () => {
    await using waiting = await openWaitingHost({ bounds: { maxQueuedBytes: 4_000 }, keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello]);
    await nextOfKind(link, "barrier");
    link.stream.pause();
    const count = 45;
    for (let number = 1; number <= count; number += 1) link.stream.send(ask(number));
    link.stream.send(ask(count + 1, "Y"));
    const codes = new Map<number, number>();
    link.stream.resume();
    while (codes.size < count + 1) {
      const answer = await nextOfKind(link, "unary-answer");
      if (answer.kind === "unary-answer") codes.set(answer.number, answer.code);
    }
    expect([codes.get(count), codes.get(count + 1)]).toEqual([StatusCode.resourceExhausted, StatusCode.ok]);
  });

  it("cost it the link when it goes on", async () => {
    await using waiting = await openWaitingHost({ keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello]);
    await nextOfKind(link, "barrier");
    link.stream.pause();
    for (let number = 1; number <= 2 * limits.peerUnaries + 1; number += 1) link.stream.send(ask(number));
    link.stream.resume();
    expect(await link.ended).toMatchObject({ status: { details: expect.stringContaining("does not take") } });
  });
});

describe("a call that can't go back to the host that has sent it", () => {
  it("fails as overloaded, and the link lives on", async () => {
    await using waiting = await openWaitingHost({ bounds: { maxQueuedBytes: 4_000 }, keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello]);
    await nextOfKind(link, "barrier");
    link.stream.pause();
    const request = (requestId: string): Frame => ({
      ...{ kind: "request", requestId, source: undefined, target: { type: "echo", key: "k" } },
      ...{ payload: undefined, metadata: { text: "x".repeat(1_500) } },
    });
    for (const id of ["1", "2", "3", "4"]) {
      link.stream.send(joinFrame(encodePeerCall(9, encodeFrame(request(id)))));
    }
    link.stream.send(encodePeerFrame({ kind: "barrier-read", number: 1 }));
    // Each call comes back, or is counted as one that the host has refused.
    while (waiting.servicer.counters().calls === 0) await new Promise((resolve) => setImmediate(resolve));
    link.stream.resume();
    const kinds: string[] = [];
    while (kinds.length < 4) kinds.push((await link.next()).kind);
    expect([kinds.includes("bounce"), kinds.includes("answer")]).toEqual([true, true]);
    expect(waiting.joined.linkedHosts().from).toEqual(["h2"]);
  });
});

describe("an event of another host", () => {
  it("that finds none of its thousands of workers comes back in one frame", async () => {
    await using waiting = await openWaitingHost({ keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello]);
    await nextOfKind(link, "barrier");
    const payload = { typeName: "t", contentType: "c", data: new Uint8Array(1_000_000) };
    const event = encodeFrame({
      kind: "event",
      event: { id: "1", topicType: "news", topicSource: "k", sender: undefined, payload, attributes: {} },
    });
    const types = Array.from({ length: 5_000 }, (_, at) => `type-${at}`);
    const targets = types.map((type, at) => ({ slot: at + 1, types: [type] }));
    link.stream.send(joinFrame(encodePeerEvent(targets, event)));
    link.stream.send(joinFrame(encodePeerEvent([{ slot: 1, types: ["type-0"] }], event)));
    expect(await nextOfKind(link, "bounce")).toMatchObject({ what: { event: 0 }, types });
    expect(await link.next()).toMatchObject({ kind: "bounce", types: ["type-0"] });
  });

  it("that names more agent types than a cluster has ends the link", async () => {
    await using waiting = await openWaitingHost({ keepAliveMs: 1_000_000 });
    const link = openRawLink(waiting.network.dial(waiting.joined.address), [hello]);
    await nextOfKind(link, "barrier");
    const targets = Array.from({ length: 100_001 }, (_, at) => ({ slot: at, types: ["t"] }));
    link.stream.send(joinFrame(encodePeerEvent(targets, new Uint8Array(0))));
    expect(await link.ended).toMatchObject({ status: { details: "It has sent a frame that can't be read." } });
  });
});

describe("a control request of another host", () => {
  it("is answered on the link that has replaced an older one", async () => {
    await using rig = await linkedWithRaw();
    await (await new RawWorker(rig.dial(), "W").join()).register("writer");
    const target = await RawControl.open(rig.dial(), "W");
    const dial = () => openRawLink(rig.waiting.network.dial(rig.waiting.joined.address), [hello]);
    const ask = (rpcId: string) => {
      const agentId = { type: "writer", key: "k" };
      const envelope = encodeControl({
        ...{ rpcId, destination: "agentid=writer/k", respondTo: "clientid=R" },
        body: { kind: "save-request", agentId },
      });
      return encodePeerFrame({ kind: "control", envelope });
    };
    const old = dial();
    await nextOfKind(old, "barrier");
    old.stream.send(ask("1"));
    expect(await target.next()).toMatchObject({ rpcId: "1" });
    const next = dial();
    next.stream.send(ask("2"));
    expect(await target.next()).toMatchObject({ rpcId: "2" });
    await old.ended;
    const body = { kind: "save-response", state: "{}", error: undefined } as const;
    target.send({ rpcId: "2", destination: "clientid=R", respondTo: "", body });
    await nextOfKind(next, "control");
    expect(rig.host.counters().unroutableControlMessages).toBe(0);
  });
});

describe("calls to agent types that no host knows", () => {
  it("are overloaded when the cluster is asked for too many, and those of another caller's type go on", async () => {
    await using rig = await linkedWithRaw();
    const own = await new RawWorker(rig.dial(), "O").join();
    await own.register("own");
    const caller = await new RawWorker(rig.dial(), "C").join();
    const other = await new RawWorker(rig.dial(), "D").join();
    rig.cluster.stallLookUps();
    for (let number = 0; number < limits.lookUps; number += 1) caller.request(`${number}`, `type-${number}/k`);
    expect(await caller.nextResponse()).toMatchObject({ metadata: { agerrorcode: "overloaded" } });
    other.request("1", "own/k");
    own.respond((await own.nextRequest()).requestId, "here");
    expect(textOf(await other.nextResponse())).toBe("here");
  });
});
