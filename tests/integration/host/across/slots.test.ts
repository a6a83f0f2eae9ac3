import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../../../src/protocol/index.ts";
import { encodePeerCall, encodePeerFrame, joinFrame, type PeerFrame } from "../../../../src/protocol/internal.ts";
import { clientOf, clusterWorker, startAcross } from "../../../support/across-rooms.ts";
import { helloOfHost, openRawLink, type RawLink } from "../../../support/raw-link.ts";

function callBytes(slot: number, requestId: string, isFirst: boolean, text = ""): Uint8Array {
  const request = encodeFrame({
    ...{ kind: "request", requestId, source: undefined, target: { type: "room", key: "k" } },
    ...{ payload: undefined, metadata: text === "" ? {} : { text } },
  });
  return new Uint8Array(joinFrame(encodePeerCall(slot, request, { isFirst })));
}

async function nextOf<Kind extends PeerFrame["kind"]>(
  link: RawLink,
  ...kinds: readonly Kind[]
): Promise<Extract<PeerFrame, { kind: Kind }>> {
  for (;;) {
    const frame = await link.next();
    // The kind was just compared; TypeScript can't narrow by a type parameter.
    if (kinds.some((kind) => kind === frame.kind)) return frame as Extract<PeerFrame, { kind: Kind }>;
  }
}

describe("the host of the slot that a call of another host names", () => {
  it("claims an agent for a first call, and gives others back until it has read a flush", async () => {
    await using rig = await startAcross();
    const host = await rig.add({ cluster: { peerAddress: "127.0.0.1:7003" } });
    const worker = await clusterWorker(host, "W");
    const hello = encodePeerFrame({ ...helloOfHost("raw"), cluster: "troupe" });
    const link = openRawLink(rig.peers.dial("127.0.0.1:7003"), [hello]);
    const { slot } = await nextOf(link, "here");
    link.stream.send(callBytes(slot, "1", false));
    expect(await nextOf(link, "bounce")).toMatchObject({ what: { requestId: "1" }, heldBy: undefined });
    // A client of this host has the worker get the agent.
    const client = await clientOf(host, "C");
    client.request("own", "room/k");
    await worker.nextRequest();
    link.stream.send(callBytes(slot, "2", false));
    expect(await nextOf(link, "bounce", "taken")).toMatchObject({ kind: "bounce", what: { requestId: "2" } });
    link.stream.send(encodePeerFrame({ kind: "flush", number: 5, slot, agentType: "room", key: "k" }));
    expect(await nextOf(link, "flushed")).toEqual({ kind: "flushed", number: 5 });
    link.stream.send(callBytes(slot, "3", true));
    expect(await nextOf(link, "taken", "bounce")).toEqual({ kind: "taken", what: { requestId: "3" } });
    link.stream.send(callBytes(slot, "4", false));
    const ids = [await worker.nextRequest(), await worker.nextRequest()].map(({ requestId }) => requestId);
    for (const id of ids) worker.respond(id, "done");
    const answers = [await nextOf(link, "answer"), await nextOf(link, "answer")];
    expect(answers.length).toBe(2);
    link.stream.cancel();
  });

  it("fails calls as overloaded that find no space on the way back, and the link lives on", async () => {
    await using rig = await startAcross();
    const host = await rig.add({ cluster: { peerAddress: "127.0.0.1:7003", maxPeerQueuedBytes: 4_000 } });
    const worker = await clusterWorker(host, "W");
    const hello = encodePeerFrame({ ...helloOfHost("raw"), cluster: "troupe" });
    const link = openRawLink(rig.peers.dial("127.0.0.1:7003"), [hello]);
    const { slot } = await nextOf(link, "here");
    link.stream.pause();
    const calls = ["1", "2", "3", "4", "5", "6", "7", "8"];
    for (const id of calls) link.stream.send(callBytes(slot, id, false, "x".repeat(1_500)));
    link.stream.send(callBytes(slot, "last", true));
    await worker.nextRequest();
    link.stream.resume();
    const kinds: string[] = [];
    while (kinds.length < calls.length) kinds.push((await nextOf(link, "bounce", "answer")).kind);
    expect([kinds.includes("bounce"), kinds.includes("answer")]).toEqual([true, true]);
    link.stream.cancel();
  });
});
