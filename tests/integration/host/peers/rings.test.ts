import { describe, expect, it } from "vitest";
import { type LinkedHostsRig, linked, linkedTransports } from "../../../support/linked-hosts.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

const troupe = { isAnnounced: true, metadata: { agcaps: "turns" } } as const;

/** Workers at these hosts, each with the agent type of its name. A turn of each calls the next one's agent, and that of the last the first's. */
async function ringOver(rig: LinkedHostsRig, ...hosts: readonly number[]) {
  const names = hosts.map((_, index) => String.fromCharCode("a".charCodeAt(0) + index));
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
  };
}

/** Resolves when the hosts have ended so many calls as deadlock. */
async function untilDeadlocked(rig: LinkedHostsRig, count: number): Promise<void> {
  const ended = () => rig.hosts.reduce((sum, { host }) => sum + host.counters().deadlockedCalls, 0);
  while (ended() < count) await new Promise((resolve) => setImmediate(resolve));
  expect(ended()).toBe(count);
}

describe.each(linkedTransports)("calls that wait for each other over $name", ({ start }) => {
  it.each([
    ["two hosts", [0, 1]],
    ["three hosts", [0, 1, 2]],
    ["two hosts, of which none searches", [1, 2]],
    ["two hosts, twice", [0, 1, 0, 1]],
  ])("fail as deadlock, one of each ring: %s", async (_which, hosts) => {
    await using rig = await start({ count: 3 });
    const { workers, report } = await ringOver(rig, ...hosts);
    for (const index of hosts.keys()) report(index);
    await untilDeadlocked(rig, 1);
    const frames = (await Promise.all(workers.map((worker) => worker.settled()))).flat();
    expect(frames.map(({ kind }) => kind).sort()).toEqual(["cancel", "response"]);
    const answer = frames.find((frame) => frame.kind === "response");
    expect(answer?.metadata).toMatchObject({ agerrorcode: "deadlock" });
    const agents = answer?.error.match(/wait for each other: (.*?)\./)?.[1]?.split(" → ") ?? [];
    expect(agents).toHaveLength(hosts.length + 1);
    expect(agents.at(0)).toBe(agents.at(-1));
    expect(new Set(agents).size).toBe(hosts.length);
  });
});
