import { describe, expect, it } from "vitest";
import type { HostOccurrence } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { type HostRig, type HostTransport, hostTransports } from "../../support/host-transports.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array(512 * 1024) };
const bounds = { maxQueuedFrames: 1_000, maxQueuedBytes: 4 * 1024 * 1024 };

/** A host, and what its observer hears; `closed` resolves with the end of this worker's channel. */
async function observed(
  start: HostTransport["start"],
  options: Parameters<HostTransport["start"]>[0],
  clientId: string,
) {
  const all: HostOccurrence[] = [];
  let onClosed: (what: HostOccurrence) => void = () => {};
  const closed = new Promise<HostOccurrence>((resolve) => {
    onClosed = resolve;
  });
  const observer = (what: HostOccurrence): void => {
    all.push(what);
    if (what.at === "session" && what.what === "closed" && what.clientId === clientId) onClosed(what);
  };
  return { rig: await start({ ...options, observer }), all, closed };
}

/** A worker that reads no more, and another that publishes until the host has dropped events of it. */
async function stalled(rig: HostRig, isEnough: () => boolean) {
  const slow = await new RawWorker(rig.dial(), "slow").join();
  await slow.register("a");
  await slow.subscribe("S", exact("t", "a"));
  slow.stream.pause();
  const publisher = await new RawWorker(rig.dial(), "P").join();
  while (!isEnough()) {
    const event = { id: "E", topicType: "t", topicSource: "s", sender: undefined, payload, attributes: {} };
    publisher.send({ kind: "event", event });
    await publisher.settled();
  }
  return { slow, publisher };
}

describe.each(hostTransports)("an observer of a worker that is too slow, over $name", ({ start }) => {
  it("sees its queue get full once, and at its end what was dropped and refused", async () => {
    const { rig, all, closed } = await observed(start, bounds, "slow");
    await using _ = rig;
    const { slow, publisher } = await stalled(rig, () => rig.host.counters().droppedEvents >= 3);
    publisher.request("1", "a/k", { payload });
    await publisher.nextResponse();
    const { droppedEvents } = rig.host.counters();
    slow.stream.cancel();
    expect(await closed).toMatchObject({ reason: "reset", droppedEvents, refusedCalls: 1, types: ["a"] });
    expect(all.filter(({ at }) => at === "limited")).toEqual([
      { at: "limited", what: "queue", clientId: "slow", detail: expect.stringContaining("bytes wait") },
    ]);
  });

  it("sees that the host has cut it off where a full queue ends the channel", async () => {
    const { rig, closed } = await observed(start, { ...bounds, whenFull: "disconnect" }, "slow");
    await using _ = rig;
    await stalled(rig, () => rig.host.counters().overflowedChannels > 0);
    expect(await closed).toMatchObject({ reason: "too-slow", types: ["a"], typeCount: 1 });
  });
});

describe.each(hostTransports)("an observer of a worker that leaves, over $name", ({ start }) => {
  it("gets a hundred of its types and their number", async () => {
    const { rig, closed } = await observed(start, {}, "W");
    await using _ = rig;
    const worker = await new RawWorker(rig.dial(), "W").join();
    const types = Array.from({ length: limits.listedTypes + 1 }, (_type, index) => `t${index}`);
    await Promise.all(types.map((type) => worker.register(type)));
    worker.stream.end();
    expect(await closed).toMatchObject({ types: types.slice(0, limits.listedTypes), typeCount: types.length });
  });

  it("gets none of its types with the end of a channel that another has replaced", async () => {
    const { rig, closed } = await observed(start, {}, "W");
    await using _ = rig;
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    await new RawWorker(rig.dial(), "W").join();
    expect(await closed).toMatchObject({ reason: "replaced", types: [], typeCount: 0 });
  });
});

it("an observer of a host over gRPC gets the reason `lost` where a connection breaks", async () => {
  const [, overGrpc] = hostTransports;
  if (overGrpc === undefined) throw new Error("There is no gRPC.");
  const { rig, closed } = await observed(overGrpc.start, {}, "W");
  await using _ = rig;
  await using proxy = await startFaultProxy({ target: rig.host.address });
  const link = grpcDialer().dial(proxy.address);
  await new RawWorker(link, "W").join();
  proxy.apply({ kind: "reset" });
  expect(await closed).toMatchObject({ reason: "lost", detail: expect.stringMatching(/./) });
  await link.close();
});
