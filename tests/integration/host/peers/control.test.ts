import { describe, expect, it } from "vitest";
import { Host } from "../../../../src/host/index.ts";
import { limits } from "../../../../src/host/limits.ts";
import { partsOf } from "../../../../src/host/servicer.ts";
import { type ControlBody, encodeControl, encodePeerFrame, type PeerFrame } from "../../../../src/protocol/internal.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";
import { RawControl } from "../../../support/raw-control.ts";
import { nextOfKind, openRawHost, openWaitingHost } from "../../../support/raw-link.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

const agentId = { type: "echo", key: "k" };
const saving: ControlBody = { kind: "save-request", agentId };
const to = { destination: "agentid=echo/k", respondTo: "clientid=C" };
const aborted = 10;

/** A host that is linked with one which does only what a test says, and where a worker of the type `echo` is. */
async function linkedWithRaw() {
  const { network, cluster, servicer } = await openWaitingHost({ keepAliveMs: 1_000_000 });
  const host = new Host({ listener: network, address: "127.0.0.1:0", servicer });
  await host.start();
  const worker = { id: "T", name: "T", version: undefined, labels: {} };
  const traits = { isAnnounced: true, worker, isDraining: false, capabilities: new Set<never>() };
  const here = encodePeerFrame({ kind: "here", slot: 1, session: 1, clientId: "T", ...traits });
  const raw = await openRawHost(network, [here]);
  await cluster.viewOf("h2").claimType({ agentType: "echo", clientId: "T", isShared: false });
  cluster.up({ hostId: "h2", address: raw.address });
  const client = await new RawWorker(network.dial(host.address), "C").join();
  // A call that reaches the other host says that the link stands.
  client.request("0", "echo/k");
  await nextOfKind(raw, "call");
  const asker = await RawControl.open(network.dial(host.address), "C");
  const nextAsk = async (): Promise<Extract<PeerFrame, { kind: "unary" }>> => {
    const frame = await nextOfKind(raw, "unary");
    if (frame.kind !== "unary") throw new Error("It is a unary call.");
    return frame;
  };
  const answer = (number: number, outcome: { readonly code?: number; readonly answer?: Uint8Array }): void => {
    const { code = 0, answer: bytes = new Uint8Array(0) } = outcome;
    raw.streams[0]?.send(
      encodePeerFrame({ kind: "unary-answer", number, code, details: "", answer: bytes, metadata: {} }),
    );
  };
  return { host, asker, nextAsk, answer, [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }) };
}

describe("a control request that another host answers", () => {
  it("goes there again when that host does not have the agent, and the cluster says that it has", async () => {
    await using rig = await linkedWithRaw();
    rig.asker.send({ rpcId: "1", ...to, body: saving });
    const first = await rig.nextAsk();
    rig.answer(first.number, { code: aborted });
    const second = await rig.nextAsk();
    expect(second).toMatchObject({ method: first.method, clientId: "C", request: first.request });
    const body = { kind: "save-response", state: "{}", error: undefined } as const;
    const answer = encodeControl({ rpcId: "1", destination: "clientid=C", respondTo: "", body });
    rig.answer(second.number, { answer });
    expect(await rig.asker.next()).toMatchObject({ rpcId: "1", body: { state: "{}" } });
  });

  it("fails as one that its asker may repeat when it comes back again and again", async () => {
    await using rig = await linkedWithRaw();
    rig.asker.send({ rpcId: "1", ...to, body: saving });
    for (let tries = 0; tries <= limits.bouncesOfCall; tries += 1)
      rig.answer((await rig.nextAsk()).number, { code: aborted });
    const error = expect.stringMatching(/^shutting-down: /);
    expect(await rig.asker.next()).toMatchObject({ rpcId: "1", body: { kind: "save-response", error } });
  });

  it("is kept for its client alone, and no more of them than may wait", async () => {
    await using rig = await linkedWithRaw();
    for (let sent = 0; sent <= limits.controlWaitsPerAsker; sent += 1)
      rig.asker.send({ rpcId: String(sent), ...to, body: saving });
    const error = expect.stringContaining("wait for other hosts");
    expect(await rig.asker.next()).toMatchObject({ rpcId: String(limits.controlWaitsPerAsker), body: { error } });
    const kept = rig.host.counters().heldBytes;
    expect(kept).toBeGreaterThan(limits.controlWaitsPerAsker * 1_000);
    rig.asker.stream.cancel();
    // The host keeps nothing for an asker that has left. Only what it has sent to the other host still waits there.
    while (rig.host.counters().heldBytes > kept / 2) await new Promise((resolve) => setImmediate(resolve));
  });
});

it("the answer to a control request of another host is sent for the worker that answers, which shares the link with others", async () => {
  const { network, servicer } = await openWaitingHost();
  const host = new Host({ listener: network, address: "127.0.0.1:0", servicer });
  await host.start();
  const worker = await new RawWorker(network.dial(host.address), "T").join();
  await worker.register("echo");
  const control = await RawControl.open(network.dial(host.address), "T");
  const account = createMemoryAccountant().openAccount({ party: "h2", name: "h2", giveWay: () => undefined });
  const answered = new Promise<string | undefined>((resolve) => {
    partsOf(servicer).control.route(
      {
        ...{ id: "host → h2", account, owner: { principal: undefined }, isElsewhere: true, ask: undefined },
        send: (_answer, from) => {
          resolve(from?.id);
          return true;
        },
      },
      encodeControl({ rpcId: "1", destination: "agentid=echo/k", respondTo: "clientid=X", body: saving }),
    );
  });
  expect(await control.next()).toMatchObject({ rpcId: "1", body: { kind: "save-request" } });
  const body = { kind: "save-response", state: "{}", error: undefined } as const;
  control.send({ rpcId: "1", destination: "clientid=X", respondTo: "", body });
  expect(await answered).toBe("T");
  await host.stop({ graceMs: 0 });
});
