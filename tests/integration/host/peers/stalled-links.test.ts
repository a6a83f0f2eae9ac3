import { describe, expect, it } from "vitest";
import { Host } from "../../../../src/host/index.ts";
import { encodeFrame, encodePeerFrame, peekFrame } from "../../../../src/protocol/internal.ts";
import { createMemoryNetwork } from "../../../../src/transport/index.ts";
import { helloOfHost, nextOfKind, openRawHost, openWaitingHost } from "../../../support/raw-link.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

const hello = encodePeerFrame(helloOfHost("h2"));

describe("a link of another host", () => {
  it("is cut when that host is frozen, and lives while it answers", async () => {
    await using host = await openWaitingHost({ keepAliveMs: 10, keepAliveTimeoutMs: 1_000 });
    const link = host.dial([hello]);
    for (let times = 1; times <= 3; times += 1) {
      const asked = await nextOfKind(link, "notice");
      const question = asked.kind === "notice" ? peekFrame(asked.notice) : undefined;
      if (question?.kind !== "heartbeat") throw new Error("The host asks by a heartbeat.");
      expect([question.seq, host.joined.linkedHosts().from]).toEqual([times, ["h2"]]);
      const answer = encodeFrame({ kind: "heartbeat", seq: question.seq, isAnswer: true, leaseMs: 0 });
      link.stream.send(encodePeerFrame({ kind: "notice", notice: answer }));
    }
    expect(await link.ended).toMatchObject({
      by: "status",
      status: { details: "It gave no sign of life within 1000 ms." },
    });
    expect(host.joined.linkedHosts().from).toEqual([]);
  });

  it("is cut when that host reads nothing, and registrations go on without it", async () => {
    const network = createMemoryNetwork({ windowBytes: 1 });
    const bounds = { maxQueuedBytes: 500 };
    await using waiting = await openWaitingHost({ network, bounds });
    await using host = new Host({ listener: network, address: "127.0.0.1:0", servicer: waiting.servicer });
    await host.start();
    const link = waiting.dial([hello]);
    await nextOfKind(link, "barrier");
    link.stream.pause();
    const reader = await new RawWorker(network.dial(host.address), "R").join();
    const made = [reader.register("reader")];
    for (let number = 0; number < 200; number += 1) {
      made.push(reader.subscribe(`s${number}`, { kind: "type", topicType: `news-${number}`, agentType: "reader" }));
    }
    await Promise.all(made);
    expect(waiting.joined.linkedHosts().from).toEqual([]);
    expect(waiting.joined.counters()).toMatchObject({ openedLinks: 1, endedLinks: 1 });
  });
});

describe("calls to a worker of a host that freezes", () => {
  it("fail as disconnected when that host gives no sign of life", async () => {
    await using waiting = await openWaitingHost({ keepAliveMs: 10, keepAliveTimeoutMs: 10 });
    const { network, cluster, joined } = waiting;
    await using host = new Host({ listener: network, address: "127.0.0.1:0", servicer: waiting.servicer });
    await host.start();
    const worker = { id: "T", name: "T", version: undefined, labels: {} };
    const here = { kind: "here", slot: 1, session: 1, clientId: "T", isAnnounced: false, worker } as const;
    const frozen = await openRawHost(network, [
      encodePeerFrame({ ...here, capabilities: new Set(), isDraining: false }),
    ]);
    await cluster.viewOf("h2").claimType({ agentType: "echo", clientId: "T", isShared: false });
    cluster.up({ hostId: "h2", address: frozen.address });
    const caller = await new RawWorker(network.dial(host.address), "C").join();
    caller.request("1", "echo/k");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", metadata: { agerrorcode: "disconnected" } });
    expect(joined.counters().endedLinks).toBeGreaterThan(0);
  });
});
