import { describe, expect, test } from "vitest";
import type {
  CallRow,
  FailurePage,
  SessionRow,
  SubscriptionRow,
  TopicRow,
  TypeRow,
  WorkerRow,
} from "../../../src/admin/internal.ts";
import { drainCommand } from "../../../src/cli/commands/drain.ts";
import { subscriptionsCommand } from "../../../src/cli/commands/subscriptions.ts";
import { topicsCommand } from "../../../src/cli/commands/topics.ts";
import { workersCommand } from "../../../src/cli/commands/workers.ts";
import { hostKey } from "../../../src/cluster/records/store-keys.ts";
import { BaseAgent, TypeSubscription } from "../../../src/core/index.ts";
import { type Clock, systemClock } from "../../../src/core/internal.ts";
import type { HostOptions } from "../../../src/host/index.ts";
import { operationsOf, viewerOf } from "../../../src/host/internal.ts";
import { encodeJson } from "../../../src/host/operations/host-status.ts";
import { accessRules } from "../../../src/security/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import type { Metadata } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { type ClusterRig, type ClusterRigOptions, clusterTransports } from "../../support/cluster-rig.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { sharedMemoryStores } from "../../support/shared-memory-store.ts";
import { EntryRig } from "./admin-rig.ts";
import { run } from "./running.ts";

class Clerk extends BaseAgent {
  protected override onMessageImpl(): void {}
}

interface Rows<Row> {
  readonly rows: readonly Row[];
  readonly next: string | null;
  readonly unanswered: readonly { readonly hostId: string }[];
}

/** Two hosts, and the admin entry of the first one. */
async function openHosts(
  opened: Opened,
  host: HostOptions | (() => HostOptions) = {},
  cluster: ClusterRigOptions["cluster"] = {},
) {
  const [transport] = clusterTransports;
  if (transport === undefined) throw new Error("There are memory links.");
  const rig = opened.use(await transport.start({ host, cluster }));
  const entry = opened.use(await EntryRig.open(rig.one.host));
  const page = <Row>(path: string, query = {}) => entry.client.ask<Rows<Row>>("GET", path, query);
  return { rig, entry, page };
}

/** A clock that the test alone sets forward, with timers of the machine. */
function clockOfTest() {
  let nowMs = systemClock.wallNow();
  const clock: Clock = {
    now: () => nowMs,
    wallNow: () => nowMs,
    setTimer: (...asked) => systemClock.setTimer(...asked),
  };
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  return { clock, advance };
}

/** Opens data channels by turns at both hosts. */
async function connect(rig: ClusterRig, ids: readonly string[]): Promise<readonly RawWorker[]> {
  const hosts = [rig.one, rig.two];
  return await Promise.all(
    ids.map(async (id, at) => {
      const link = hosts[at % 2]?.dial();
      if (link === undefined) throw new Error("There are two hosts.");
      return await new RawWorker(link, id, { isAnnounced: true }).join();
    }),
  );
}

/** Reads all pages of a list. */
async function readAll<Row>(page: (query: object) => Promise<Rows<Row>>, limit: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const found = await page({ limit, after });
    expect(found.unanswered).toEqual([]);
    rows.push(...found.rows);
    after = found.next;
  }
  return rows;
}

describe("lists at one host of a cluster", () => {
  test("have the workers and sessions of all hosts, in one order, and name their hosts", async () => {
    await using opened = new Opened();
    const { rig, entry, page } = await openHosts(opened);
    const ids = ["a", "b", "c", "d", "e"];
    await connect(rig, ids);
    const [one, two] = [rig.one, rig.two].map(({ host }) => operationsOf(host.servicer).cluster);
    const sessions = await readAll((query) => page<SessionRow>("/v1/sessions", query), 2);
    expect(sessions.map(({ clientId }) => clientId)).toEqual(ids);
    const signal = new AbortController().signal;
    const { hosts = [] } = (await one?.report(signal)) ?? {};
    const nameOf = new Map(hosts.map(({ hostId, name }) => [hostId, name]));
    const { hostId: otherId = "" } = (await two?.report(signal)) ?? {};
    expect(sessions.map(({ host }) => host?.hostId === otherId)).toEqual([false, true, false, true, false]);
    expect(sessions.every(({ host }) => host?.name === nameOf.get(host?.hostId ?? ""))).toBe(true);
    const workers = await readAll((query) => page<WorkerRow>("/v1/workers", query), 2);
    expect(workers.map(({ workerId }) => workerId)).toEqual(workers.map(({ workerId }) => workerId).sort());
    expect(workers.flatMap(({ clientIds }) => clientIds).sort()).toEqual(ids);
    const [there] = workers.filter(({ host }) => host?.hostId === otherId);
    expect(await entry.client.ask("GET", "/v1/worker", { id: there?.workerId })).toEqual(there);
    const listed = await run(workersCommand(), "--host", otherId, "--json", ...entry.flags);
    expect(
      JSON.parse(listed.out)
        .rows.flatMap(({ clientIds }: WorkerRow) => clientIds)
        .sort(),
    ).toEqual(["b", "d"]);
    expect((await run(workersCommand(), ...entry.flags)).out).toMatch(/^id +name +host +version/);
    await expect(run(workersCommand(), "--host", "nowhere", ...entry.flags)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("See troupe hosts."),
    });
  });

  test("name a host that does not answer", async () => {
    await using opened = new Opened();
    const { rig, entry } = await openHosts(opened);
    await connect(rig, ["a", "b"]);
    const silent = {
      ...{ hostId: "silent", state: "up", renewals: 1, label: "eu-3", peerAddress: "127.0.0.1:1" },
      ...{ workerAddress: "127.0.0.1:2", leaseMs: 20_000 },
    };
    await rig.store.write(hostKey("silent"), encodeJson(silent), 0);
    const list = () => run(workersCommand(), "--json", ...entry.flags);
    let listed = await list();
    // The host learns of the other one by its watch.
    while (listed.err === "") listed = await list();
    expect(listed.exitCode).toBe(1);
    expect(JSON.parse(listed.out).rows).toHaveLength(2);
    expect(JSON.parse(listed.out).unanswered).toMatchObject([{ hostId: "silent", name: "eu-3" }]);
    expect(listed.err).toContain("The host eu-3 does not answer, and its workers may be missing: ");
  });

  test("have the calls of all hosts, the oldest first, and a call to another host once", async () => {
    await using opened = new Opened();
    const { clock, advance } = clockOfTest();
    const { rig, page } = await openHosts(opened, { clock });
    const [one, two] = await connect(rig, ["one", "two"]);
    // Without it the second host does not time its calls.
    opened.use(await EntryRig.open(rig.two.host));
    await one?.register("near");
    await two?.register("far");
    // The first one goes from the second host to the first.
    for (const [caller, target, at] of [[two, "near/1", one] as const, [one, "near/2", one] as const]) {
      caller?.request(target, target);
      await at?.nextRequest();
      advance(1_000);
    }
    for (const key of ["3", "4", "5"]) {
      two?.request(key, `far/${key}`);
      await two?.nextRequest();
    }
    const calls = await readAll((query) => page<CallRow>("/v1/calls", query), 2);
    expect(calls.map(({ type, key, callerId }) => [`${type}/${key}`, callerId])).toEqual([
      ...[["near/1", "two"] as const, ["near/2", "one"] as const],
      ...["3", "4", "5"].map((key) => [`far/${key}`, "two"]),
    ]);
    expect(calls[0]).toMatchObject({ targetId: "one", ageMs: 2_000 });
    expect(calls[0]?.host?.hostId).toBe(calls[2]?.host?.hostId);
    expect((await page<CallRow>("/v1/calls", { minAgeMs: 1_500 })).rows).toHaveLength(1);
    expect((await page<CallRow>("/v1/calls", { type: "far", key: "4" })).rows).toHaveLength(1);
  });

  test("have the failures of all hosts that keep them, the newest first", async () => {
    await using opened = new Opened();
    const { clock, advance } = clockOfTest();
    const { rig, page } = await openHosts(opened, { clock });
    const workers = await connect(rig, ["one", "two"]);
    const before = await page("/v1/failures", { kind: "call" });
    expect(before.unanswered).toMatchObject([{ problem: "It keeps no failures, because it has no admin entry." }]);
    opened.use(await EntryRig.open(rig.two.host));
    for (const key of ["1", "2", "3", "4"]) {
      advance(1_000);
      const caller = workers[Number(key) % 2];
      caller?.request(key, `none-${key}/x`);
      await caller?.nextResponse();
    }
    const failures = await readAll(
      (query) => page<FailurePage["rows"][number]>("/v1/failures", { kind: "call", ...query }),
      1,
    );
    const told = failures.map(({ detail, host }) => [/none-\d/.exec(detail)?.[0], host?.hostId] as const);
    expect(told.map(([name]) => name).slice(0, 4)).toEqual(["none-4", "none-3", "none-2", "none-1"]);
    expect(told[0]?.[1]).toBe(told[2]?.[1]);
    expect(told[0]?.[1]).not.toBe(told[1]?.[1]);
  });

  test("have the subscriptions and types of all hosts, which troupe topics counts together", async () => {
    await using opened = new Opened();
    const { rig, entry, page } = await openHosts(opened);
    const workers = await connect(rig, ["one", "two"]);
    for (const [at, worker] of workers.entries()) {
      await worker.register(`type-${at}`);
      for (const topicType of ["news", `own-${at}`])
        await worker.subscribe(`${at}-${topicType}`, { kind: "type", topicType, agentType: `type-${at}` });
    }
    const topics = await readAll((query) => page<TopicRow>("/v1/topics", query), 3);
    expect(topics.map(({ topic, clientId }) => [topic, clientId]).sort()).toEqual([
      ...[["news", "one"] as const, ["news", "two"] as const],
      ...[["own-0", "one"] as const, ["own-1", "two"] as const],
    ]);
    const types = await readAll((query) => page<TypeRow>("/v1/types", query), 1);
    expect(types.map(({ type, owners }) => [type, owners])).toEqual([
      ["type-0", ["one"]],
      ["type-1", ["two"]],
    ]);
    const { rows, unanswered } = JSON.parse((await run(topicsCommand(), "news", "--json", ...entry.flags)).out);
    expect([rows, unanswered]).toMatchObject([[{ topic: "news", clients: 2, types: ["type-0", "type-1"] }], []]);
    expect((await run(subscriptionsCommand(), "list", ...entry.flags)).out).toMatch(/ client +host$/m);
  });

  test("say of a durable subscription whether a worker of any host serves its type", async () => {
    await using opened = new Opened();
    const mailboxes = new MemoryStateStore();
    await mailboxes.open();
    const stores = sharedMemoryStores();
    const cluster = { log: mailboxes.log };
    const { rig, page } = await openHosts(opened, () => ({ stateStore: stores() }), cluster);
    const { dial, host } = rig.two;
    const there = opened.use(new WorkerRuntime({ dialer: { dial: () => dial() }, address: host.address }));
    await there.start();
    await there.registerFactory("clerk", () => new Clerk("a clerk"));
    for (const type of ["clerk", "absent"])
      await there.addSubscription(new TypeSubscription("orders", type, { durable: true }));
    const { rows } = await page<SubscriptionRow>("/v1/subscriptions");
    expect(rows.map(({ type, isServed }) => [type, isServed])).toEqual([
      ["absent", false],
      ["clerk", true],
    ]);
  });

  test("show a principal only what the rules of both hosts allow", async () => {
    await using opened = new Opened();
    const authorize = ({ metadata }: { readonly metadata: Metadata }) => ({ name: metadata["client-id"] ?? "" });
    const may = (role: string, types: readonly string[]) =>
      accessRules([
        { principal: "*", allow: ["register", "call"], types: "*" },
        { role: "ops", allow: ["see", "administer"], types: "*" },
        { role, allow: "see", types },
      ]);
    const rules = [may("guest", ["shown", "here"]), may("guest", ["shown", "there"])];
    const { rig } = await openHosts(opened, () => ({ authorize, rules: rules.shift() }));
    const [one, two] = await connect(rig, ["one", "two"]);
    opened.use(await EntryRig.open(rig.two.host));
    for (const type of ["shown", "here", "there"]) await two?.register(type);
    for (const type of ["shown", "here", "there"]) {
      two?.request(type, `${type}/x`, { metadata: { agpath: "t@here/a,t@there/b,t@shown/c" } });
      await two?.nextRequest();
    }
    one?.request("far", "shown/y");
    await two?.nextRequest();
    const operations = operationsOf(rig.one.host.servicer);
    const list = async <Kind extends "calls" | "sessions" | "workers">(kind: Kind, name: string, role: string) => {
      const viewer = viewerOf({ name, roles: [role] }, may("guest", ["shown", "here"]));
      const asked = { filter: {}, viewer, places: undefined, limit: 100 };
      return await operations.rows(kind, asked, new AbortController().signal);
    };
    const { rows } = await list("calls", "someone", "guest");
    expect(rows.map(({ type, path }) => [type, path])).toEqual([
      ["shown", ["hidden", "hidden", "shown/c"]],
      ["shown", []],
    ]);
    expect((await list("sessions", "two", "guest")).rows.map(({ clientId }) => clientId)).toEqual(["two"]);
    expect((await list("sessions", "two", "ops")).rows).toHaveLength(2);
    const refused = await list("workers", "two", "guest");
    expect([refused.rows, refused.unanswered]).toMatchObject([[], [{ problem: expect.stringContaining("Its rules") }]]);
    expect((await list("workers", "x", "ops")).rows).toHaveLength(2);
  });

  test("find a worker of another host, which troupe drain worker drains there", async () => {
    await using opened = new Opened();
    const { rig, entry, page } = await openHosts(opened);
    const { dial, host } = rig.two;
    const runtime = opened.use(new WorkerRuntime({ dialer: { dial: () => dial() }, address: host.address }));
    await runtime.start();
    const [worker] = (await page<WorkerRow>("/v1/workers")).rows;
    const drained = await run(drainCommand(), "worker", worker?.workerId ?? "", "--json", ...entry.flags);
    expect(JSON.parse(drained.out)).toMatchObject({
      workerId: worker?.workerId,
      outcome: { at: expect.stringMatching(/^(drained|gone)$/), leftAgents: 0 },
    });
    await runtime.closed;
    await expect(run(drainCommand(), "worker", "nobody", ...entry.flags)).rejects.toMatchObject({ code: "not-found" });
  });
});
