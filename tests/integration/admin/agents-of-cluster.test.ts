import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import type { AgentRow } from "../../../src/admin/internal.ts";
import { agentsCommand } from "../../../src/cli/commands/agents.ts";
import { hostKey } from "../../../src/cluster/records/store-keys.ts";
import { AgentId, defineMessage, defineState, persistentAgent, rpc } from "../../../src/core/index.ts";
import { operationsOf } from "../../../src/host/internal.ts";
import { encodeJson } from "../../../src/host/operations/host-status.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { type ClusterHostRig, clusterTransports } from "../../support/cluster-rig.ts";
import { Opened } from "../../support/opened.ts";
import { sharedMemoryStores } from "../../support/shared-memory-store.ts";
import { EntryRig } from "./admin-rig.ts";
import { run } from "./running.ts";

const Add = defineMessage("ClusterAdminAdd", z.object({}));

class Counter extends persistentAgent(defineState(z.object({ total: z.number() }), { initial: { total: 0 } })) {
  @rpc(Add)
  add() {
    this.state.total += 1;
  }
}

const keys = Array.from({ length: 40 }, (_, at) => String(at));

/** Two hosts, each with a worker of the shared type `room`, and the admin entry of the first one. */
async function openRooms(opened: Opened) {
  const [transport] = clusterTransports;
  if (transport === undefined) throw new Error("There are memory links.");
  const stores = sharedMemoryStores();
  const rig = opened.use(await transport.start({ host: () => ({ stateStore: stores() }) }));
  const workers: WorkerRuntime[] = [];
  for (const { dial, host } of [rig.one, rig.two]) {
    const runtime = opened.use(new WorkerRuntime({ dialer: { dial: () => dial() }, address: host.address }));
    await runtime.start();
    await Counter.register(runtime, "room", () => new Counter("a room"), { shared: true });
    workers.push(runtime);
  }
  const [caller] = workers;
  for (const key of keys) await caller?.sendMessage(Add({}), new AgentId("room", key));
  return { rig, entry: opened.use(await EntryRig.open(rig.one.host)) };
}

function claimsAt({ host }: ClusterHostRig) {
  return operationsOf(host.servicer).agents.claims({ limit: 100 }, new AbortController().signal);
}

const json = async (command: Command, ...args: readonly string[]) =>
  JSON.parse((await run(command, ...args, "--json")).out);

describe("troupe agents at one host of a cluster", () => {
  test("lists the agents of all hosts once each, in pages, and finds one of another host", async () => {
    await using opened = new Opened();
    const { rig, entry } = await openRooms(opened);
    const there = (await claimsAt(rig.two)).claims;
    // So many keys that some are at each worker.
    expect(there.length).toBeGreaterThan(0);
    expect(there.length).toBeLessThan(keys.length);
    const { rows, next, unanswered } = await json(agentsCommand(), ...entry.flags);
    expect([next, unanswered]).toEqual([null, []]);
    expect(rows.map(({ key }: AgentRow) => key).sort()).toEqual([...keys].sort());
    expect(rows.every(({ workerId, epoch }: AgentRow) => workerId !== null && epoch !== null)).toBe(true);

    const names: string[] = [];
    for (let after: string | null = null, page = 0; page === 0 || after !== null; page += 1) {
      const listed: { rows: AgentRow[]; next: string | null } = await entry.client.ask("GET", "/v1/agents", {
        ...{ limit: 15, after: after ?? undefined },
      });
      names.push(...listed.rows.map(({ key }) => key));
      after = listed.next;
    }
    expect(names.sort()).toEqual([...keys].sort());

    const [claim] = there;
    const detail = await json(agentsCommand(), `room/${claim?.key}`, ...entry.flags);
    expect(detail).toMatchObject({
      workerId: claim?.workerId,
      sharing: "shared",
      unanswered: [],
      state: { revision: 1 },
    });
    const ofWorker = await json(agentsCommand(), "--worker", claim?.workerId ?? "", ...entry.flags);
    expect(ofWorker.rows.length).toBe(there.length);
  });

  test("says which host has not answered, and lists the others'", async () => {
    await using opened = new Opened();
    const { rig, entry } = await openRooms(opened);
    const silent = {
      ...{ hostId: "silent", state: "up", renewals: 1, label: "eu-3", peerAddress: "127.0.0.1:1" },
      ...{ workerAddress: "127.0.0.1:2", leaseMs: 20_000 },
    };
    await rig.store.write(hostKey("silent"), encodeJson(silent), 0);
    let listed = await run(agentsCommand(), "--json", ...entry.flags);
    // The host learns of the other one by its watch.
    while (listed.err === "") listed = await run(agentsCommand(), "--json", ...entry.flags);
    expect(listed.exitCode).toBe(1);
    expect(JSON.parse(listed.out).rows.length).toBe(keys.length);
    expect(JSON.parse(listed.out).unanswered).toMatchObject([{ hostId: "silent", name: "eu-3" }]);
    expect(listed.err).toContain("The host eu-3 does not answer, and agents of its workers may be missing: ");
  });
});
