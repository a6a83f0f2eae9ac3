import { describe, expect, it } from "vitest";
import { Host } from "../../../../src/host/index.ts";
import type { HostOptions } from "../../../../src/host/internal.ts";
import {
  encodePeerFrame,
  encodeRegisterAgentRequest,
  type RarePeerFrame,
  type WirePattern,
} from "../../../../src/protocol/internal.ts";
import { StatusCode } from "../../../../src/transport/index.ts";
import { helloOfHost, nextOfKind, openRawHost, openWaitingHost } from "../../../support/raw-link.ts";
import { exact, RawWorker } from "../../../support/raw-worker.ts";

const barrier: RarePeerFrame = { kind: "barrier", number: 1 };

/** Links a host with one that says these frames and then a barrier. */
async function told(frames: readonly RarePeerFrame[], hostOptions?: HostOptions) {
  const waiting = await openWaitingHost({ host: hostOptions, keepAliveMs: 1_000_000 });
  const { network, cluster, joined, servicer } = waiting;
  const other = await openRawHost(network, [...frames, barrier].map(encodePeerFrame));
  const heldBefore = servicer.counters().heldBytes;
  cluster.up({ hostId: "h2", address: other.address });
  const held = (): number => servicer.counters().heldBytes - heldBefore;
  return { ...waiting, joined, other, held, [Symbol.asyncDispose]: () => waiting[Symbol.asyncDispose]() };
}

function here(slot: number, over: Partial<{ clientId: string; id: string; name: string; label: string }> = {}) {
  const { clientId = `C${slot}`, id = `W${slot}`, name = id, label } = over;
  const labels = label === undefined ? {} : { zone: label };
  const worker = { id, name, version: undefined, labels };
  const capabilities = new Set<never>();
  return {
    kind: "here",
    slot,
    session: slot,
    clientId,
    isAnnounced: true,
    isDraining: false,
    worker,
    capabilities,
  } as const;
}

function interest(pattern: WirePattern): RarePeerFrame {
  return { kind: "interest", begins: true, pattern };
}

const long = "x".repeat(1_025);

describe("what another host tells", () => {
  it.each([
    ["a client id that is too long", here(1, { clientId: long })],
    ["an empty client id", here(1, { clientId: "" })],
    ["an empty worker id", here(1, { id: "" })],
    ["a worker id that is too long", here(1, { id: "w".repeat(257) })],
    ["the name of a worker that is too long", here(1, { name: "n".repeat(257) })],
    ["a label that is too long", here(1, { label: "v".repeat(65) })],
    ["an agent type that is none", interest(exact("news", "a b"))],
    ["an agent type that is too long", interest(exact("news", long))],
    ["a topic type that is too long", interest(exact(long, "reader"))],
  ])("is not believed with %s", async (_name, frame) => {
    await using rig = await told([frame]);
    await nextOfKind(rig.other, "barrier-read");
    expect(rig.joined.counters()).toMatchObject({ refusedNames: 1, endedLinks: 0 });
    expect(rig.held()).toBeLessThan(500);
  });

  it("counts with the bytes of its names, and is free when it is over", async () => {
    const [clientId, topicType] = ["c".repeat(1_000), "t".repeat(1_000)];
    const pattern = exact(topicType, "reader");
    await using rig = await told([here(1, { clientId }), interest(pattern)]);
    await nextOfKind(rig.other, "barrier-read");
    expect(rig.held()).toBeGreaterThan(1_500 + 2 * 1_000 + 4 * 1_000);
    const [stream] = rig.other.streams;
    stream?.send(encodePeerFrame({ kind: "away", slot: 1 }));
    stream?.send(encodePeerFrame({ kind: "interest", begins: false, pattern }));
    stream?.send(encodePeerFrame({ kind: "interest", begins: false, pattern }));
    stream?.send(encodePeerFrame({ kind: "barrier", number: 2 }));
    await nextOfKind(rig.other, "barrier-read");
    expect(rig.held()).toBeLessThan(500);
    expect(rig.joined.counters()).toMatchObject({ refusedNames: 0, endedLinks: 0 });
  });

  it.each<[string, HostOptions, readonly RarePeerFrame[]]>([
    ["workers than this host takes", { maxSessions: 2 }, [here(1), here(2), here(3)]],
    ["subscriptions than this host takes", { maxSubscriptions: 1 }, [exact("a", "r"), exact("b", "r")].map(interest)],
    [
      "bytes than a quarter of this host's",
      { maxMemoryBytes: 1024 * 1024 },
      Array.from({ length: 90 }, (_, at) => here(at + 1, { clientId: `${at}`.padEnd(1_000, "c") })),
    ],
  ])("ends the link if it is more %s", async (_name, options, frames) => {
    await using rig = await told(frames, options);
    await rig.other.ended;
    expect(rig.joined.counters().endedLinks).toBeGreaterThan(0);
    expect(rig.held()).toBeLessThan(300_000);
  });
});

describe("the hello of another host", () => {
  it.each(["", "h 2", "h\n2", "h".repeat(257)])("ends the link with the host id %j", async (hostId) => {
    await using host = await openWaitingHost();
    const end = await host.dial([encodePeerFrame(helloOfHost(hostId))]).ended;
    expect(end).toMatchObject({ by: "status", status: { details: expect.stringContaining("host id") } });
    expect(host.joined.counters().openedLinks).toBe(0);
  });
});

describe("a registration that another host passes on", () => {
  const ask = { kind: "unary", number: 1, method: "RegisterAgent", principal: undefined } as const;

  it.each([
    ["names no client", "", StatusCode.invalidArgument],
    ["names a client by a text that is too long", long, StatusCode.invalidArgument],
    ["names a client that is not here", "nobody", StatusCode.unavailable],
  ])("is refused if it %s", async (_name, clientId, code) => {
    await using host = await openWaitingHost();
    const request = encodeRegisterAgentRequest("writer");
    const frame = encodePeerFrame({ ...ask, clientId, request, metadata: {} });
    const link = host.dial([encodePeerFrame(helloOfHost("h2")), frame]);
    expect(await nextOfKind(link, "unary-answer")).toMatchObject({ number: 1, code });
    expect(host.servicer.counters()).toMatchObject({ agentTypes: 0, reservedClients: 0 });
    expect(host.cluster.has("writer")).toBe(false);
  });
});

describe("an agent type that no host takes", () => {
  it.each(["a b", long])("is not asked for at the cluster", async (agentType) => {
    await using waiting = await openWaitingHost();
    await using host = new Host({ listener: waiting.network, address: "127.0.0.1:0", servicer: waiting.servicer });
    await host.start();
    const asked: string[] = [];
    const { cluster } = waiting;
    cluster.onClaim = (name) => asked.push(name);
    const worker = await new RawWorker(waiting.network.dial(host.address), "W").join();
    await expect(worker.register(agentType)).rejects.toThrow();
    await worker.register("writer");
    expect(asked).toEqual(["writer"]);
  });
});
