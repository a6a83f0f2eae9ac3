import { describe, expect, it } from "vitest";
import { Host } from "../../../../src/host/index.ts";
import { partsOf } from "../../../../src/host/servicer.ts";
import { type Frame, peekFrame } from "../../../../src/protocol/internal.ts";
import { type LinkedHostsRig, linked, linkedTransports } from "../../../support/linked-hosts.ts";
import { helloOfHost, nextOfKind, openRawHost, openWaitingHost } from "../../../support/raw-link.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

const troupe = { isAnnounced: true, metadata: { agcaps: "turns" } } as const;

/** Workers at these hosts, each with an agent type of its own. A turn of each calls the next one's agent, and that of the last the first's. */
async function ringOver(rig: LinkedHostsRig, hosts: readonly number[], prefix = "") {
  const names = hosts.map((_, index) => `${prefix}${"abcd"[index]}`);
  const workers: RawWorker[] = [];
  for (const [index, host] of hosts.entries()) {
    const at = rig.hosts[host];
    const name = names[index];
    if (at === undefined || name === undefined) throw new Error("There is no such host.");
    const worker = await new RawWorker(at.dial(), name.toUpperCase(), troupe).join();
    await worker.register(name);
    workers.push(worker);
  }
  const called = names.map((_, index) => (index + 1) % names.length);
  const ids: string[] = [];
  for (const [index, name] of names.entries()) {
    const target = called[index] ?? 0;
    workers[index]?.request("1", `${names[target]}/k`, { metadata: { agpath: `e${name}@${name}/k` } });
    ids[target] = (await workers[target]?.nextRequest())?.requestId ?? "";
  }
  return {
    workers,
    ids,
    /** The worker says that the call which it has waits behind its turn. */
    report: (index: number) => {
      const before = names[(index + names.length - 1) % names.length];
      const [requestId = "", path] = [ids[index], `e${before}@${before}/k`];
      workers[index]?.send({ kind: "stuck", requestId, path, behind: [`e${names[index]}`] });
    },
    withdraw: (index: number) => workers[index]?.send({ kind: "unstuck", requestId: ids[index] ?? "" }),
  };
}

/** Resolves when the hosts have ended so many calls as deadlock. */
async function untilDeadlocked(rig: LinkedHostsRig, count: number): Promise<void> {
  const ended = () => rig.hosts.reduce((sum, { host }) => sum + host.counters().deadlockedCalls, 0);
  await until(() => ended() >= count);
  expect(ended()).toBe(count);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(linkedTransports)("calls that wait for each other over $name", ({ start }) => {
  it.each([
    ["two hosts", [0, 1]],
    ["three hosts", [0, 1, 2]],
    ["two hosts, of which none searches", [1, 2]],
    ["two hosts, twice", [0, 1, 0, 1]],
  ])("fail as deadlock, one of each ring: %s", async (_which, hosts) => {
    await using rig = await start({ count: 3 });
    const { workers, report } = await ringOver(rig, hosts);
    for (const index of hosts.keys()) report(index);
    await untilDeadlocked(rig, 1);
    const frames: Frame[] = [];
    while (!frames.some(({ kind }) => kind === "response")) {
      await new Promise((resolve) => setImmediate(resolve));
      for (const worker of workers) frames.push(...(await worker.settled()));
    }
    expect(frames.map(({ kind }) => kind).sort()).toEqual(["cancel", "response"]);
    const answer = frames.find((frame) => frame.kind === "response");
    expect(answer?.metadata).toMatchObject({ agerrorcode: "deadlock" });
    const agents = answer?.error.match(/wait for each other: (.*?)\./)?.[1]?.split(" → ") ?? [];
    expect(agents).toHaveLength(hosts.length + 1);
    expect(agents.at(0)).toBe(agents.at(-1));
    expect(new Set(agents).size).toBe(hosts.length);
  });
});

const [overMemory] = linkedTransports;
if (overMemory === undefined) throw new Error("There are memory links.");

describe("the host that searches for rings over hosts", () => {
  it("is another one when it goes down or comes, and hears of all calls that wait", async () => {
    await using rig = await overMemory.start({ count: 3 });
    const [one, two] = [rig.one, rig.two];
    const before = await ringOver(rig, [1, 2], "first");
    before.report(0);
    await until(() => one.toldWaits() === 1);
    rig.cluster.down(one.hostId);
    await until(() => two.toldWaits() === 1 && one.toldWaits() === 0);
    before.report(1);
    await untilDeadlocked(rig, 1);
    const after = await ringOver(rig, [1, 2], "second");
    after.report(0);
    // One call of the first ring still waits.
    await until(() => two.toldWaits() === 2);
    rig.cluster.up({ hostId: one.hostId, address: one.joined.address });
    await until(() => one.toldWaits() === 2 && two.toldWaits() === 0);
    after.report(1);
    await untilDeadlocked(rig, 2);
  });

  it("forgets the calls that wait no more, and those of a host that ends or whose link is cut", async () => {
    await using rig = await overMemory.start({ count: 3 });
    const { one, two } = rig;
    const ring = await ringOver(rig, [1, 2], "ring");
    ring.report(0);
    await until(() => one.toldWaits() === 1);
    ring.withdraw(0);
    await until(() => one.toldWaits() === 0);
    ring.report(1);
    await until(() => one.toldWaits() === 1);
    // What comes later is found, and the ring that is none is not.
    const other = await ringOver(rig, [1, 2], "other");
    other.report(0);
    other.report(1);
    await untilDeadlocked(rig, 1);
    ring.report(0);
    await untilDeadlocked(rig, 2);
    const last = await ringOver(rig, [1, 2], "last");
    last.report(0);
    // One call of each ring still waits.
    await until(() => one.toldWaits() === 3);
    rig.cutLinks();
    await until(() => one.toldWaits() === 0);
    await linked(rig.hosts);
    const again = await ringOver(rig, [1, 2], "again");
    again.report(0);
    await until(() => one.toldWaits() === 1);
    await two.host.stop({ graceMs: 0 });
    await until(() => one.toldWaits() === 0);
    expect(one.host.counters()).toMatchObject({ unmatchedReports: 0, unwatchedCalls: 0 });
  });
});

describe("a ring of turns at one host", () => {
  it.each([
    ["is one while the call to that handler is pending", false],
    ["is none when the caller has given that call up", true],
  ])("by way of a handler without a turn at another host %s", async (_what, isGivenUp) => {
    await using rig = await overMemory.start({ count: 2 });
    const [a, b, c] = [
      await new RawWorker(rig.one.dial(), "A", troupe).join(),
      await new RawWorker(rig.one.dial(), "B", troupe).join(),
      await new RawWorker(rig.two.dial(), "C", troupe).join(),
    ];
    await a.register("a");
    await b.register("b");
    await c.register("c");
    a.request("3", "c/k", { metadata: { agpath: "ta@a/k" } });
    const path = `ta@a/k@${(await c.nextRequest()).requestId}`;
    c.request("4", "b/k", { metadata: { agpath: path } });
    const toB = (await b.nextRequest()).requestId;
    b.request("2", "a/k", { metadata: { agpath: "tb@b/k" } });
    const toA = (await a.nextRequest()).requestId;
    if (isGivenUp) {
      a.send({ kind: "cancel", requestId: "3", reason: "timed-out" });
      await c.nextCancel();
    }
    b.send({ kind: "stuck", requestId: toB, path, behind: ["tb"] });
    a.send({ kind: "stuck", requestId: toA, path: "tb@b/k", behind: ["ta"] });
    await until(() => rig.one.toldWaits() === 2 || rig.one.host.counters().deadlockedCalls > 0);
    if (!isGivenUp) return untilDeadlocked(rig, 1);
    // A ring that comes later is found: by then this one was looked for.
    const ring = await ringOver(rig, [0, 1], "later");
    ring.report(0);
    ring.report(1);
    await untilDeadlocked(rig, 1);
  });
});

describe("another host with a lower id", () => {
  /** The host `h1` beside one that only listens. A worker of `h1` has a call that waits. */
  async function beside(features: ReadonlySet<"rings">) {
    const waiting = await openWaitingHost();
    const { network, cluster, servicer } = waiting;
    const host = new Host({ listener: network, address: "127.0.0.1:0", servicer });
    await host.start();
    const raw = await openRawHost(network, [], { ...helloOfHost("h0"), features });
    cluster.up({ hostId: "h0", address: raw.address });
    while (!waiting.joined.linkedHosts().to.includes("h0")) await new Promise((resolve) => setImmediate(resolve));
    const worker = await new RawWorker(network.dial(host.address), "A", troupe).join();
    await worker.register("a");
    worker.request("1", "a/k", { metadata: { agpath: "eb@b/k" } });
    const { requestId } = await worker.nextRequest();
    worker.send({ kind: "stuck", requestId, path: "eb@b/k", behind: ["ea"] });
    const toldWaits = (): number => partsOf(servicer).calls.clusterRings.toldSize;
    return { raw, worker, requestId, toldWaits, [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }) };
  }

  it("is told of calls that wait, and of their end", async () => {
    await using rig = await beside(new Set(["rings"]));
    const { raw, worker, requestId } = rig;
    const notice = async () => {
      const frame = await nextOfKind(raw, "waiting");
      return frame.kind === "waiting" ? peekFrame(frame.notice) : undefined;
    };
    expect(await notice()).toEqual({ kind: "stuck", requestId, path: "eb@b/k", behind: ["ea"] });
    worker.respond(requestId, "done");
    expect(await notice()).toEqual({ kind: "unstuck", requestId });
    expect(rig.toldWaits()).toBe(0);
  });

  it("is told nothing, and does not search, if it does not name rings", async () => {
    await using rig = await beside(new Set());
    await until(() => rig.toldWaits() === 1);
  });
});
