import { expect, test } from "vitest";
import type { ActivityAnswer, CountersAnswer } from "../../../src/admin/internal.ts";
import { operationsOf } from "../../../src/host/internal.ts";
import { accessRules } from "../../../src/security/index.ts";
import { clusterTransports } from "../../support/cluster-rig.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { EntryRig } from "./admin-rig.ts";

/** Two hosts with a worker each, and the admin entries of both. */
async function openHosts(opened: Opened, host = {}) {
  const [transport] = clusterTransports;
  if (transport === undefined) throw new Error("There are memory links.");
  const rig = opened.use(await transport.start({ host }));
  const [one, two] = [
    opened.use(await EntryRig.open(rig.one.host)),
    opened.use(await EntryRig.open(rig.two.host)),
  ] as const;
  const workers = await Promise.all(
    [rig.one, rig.two].map((each, at) => new RawWorker(each.dial(), `worker-${at}`, { isAnnounced: true }).join()),
  );
  const [caller, target] = workers;
  if (caller === undefined || target === undefined) throw new Error("There are two workers.");
  const [idOfOne = "", idOfTwo = ""] = [rig.one, rig.two].map(
    (each) => operationsOf(each.host.servicer).hosts().here?.hostId,
  );
  return { rig, one, two, caller, target, idOfOne, idOfTwo };
}

const activityOf = (entry: EntryRig, host?: string) =>
  entry.client.ask<ActivityAnswer>("GET", "/v1/activity", { step: 0, host });

const callsTo = ({ types }: ActivityAnswer, wanted: string): number =>
  types.find(({ type }) => type === wanted)?.calls ?? 0;

test("the activity of any host is that of all hosts, a call from host to host once; one host can be asked for alone", async () => {
  await using opened = new Opened();
  const { one, two, caller, target, idOfOne, idOfTwo } = await openHosts(opened);
  await target.register("writer");
  await caller.register("local");
  // The first question begins the counting at all hosts.
  expect(await activityOf(one)).toMatchObject({ unanswered: [], types: [] });
  for (const key of ["1", "2", "3"]) {
    caller.request(key, `writer/${key}`);
    target.respond((await target.nextRequest()).requestId, "done");
    await caller.nextResponse();
  }
  target.request("4", "local/4");
  caller.respond((await caller.nextRequest()).requestId, "done");
  await target.nextResponse();
  for (const entry of [one, two]) {
    const all = await activityOf(entry);
    expect([callsTo(all, "writer"), callsTo(all, "local")]).toEqual([3, 1]);
    const [first, second] = [await activityOf(entry, idOfOne), await activityOf(entry, idOfTwo)];
    // Of one host both parts of a call count.
    expect([callsTo(first, "writer"), callsTo(first, "local")]).toEqual([3, 1]);
    expect([callsTo(second, "writer"), callsTo(second, "local")]).toEqual([3, 1]);
  }
  await expect(activityOf(one, "no-such-host")).rejects.toMatchObject({ code: "not-found" });
});

test("the counters of any host are those of all hosts, with their sum; one host can be asked for alone", async () => {
  await using opened = new Opened();
  const { one, two, target, idOfOne, idOfTwo } = await openHosts(opened);
  await target.register("writer");
  const before = await one.client.ask<CountersAnswer>("GET", "/v1/counters");
  const failedAt = ({ hosts }: CountersAnswer, hostId: string): number =>
    hosts.find(({ host }) => host?.hostId === hostId)?.counters.failedCalls ?? Number.NaN;
  target.request("1", "absent/1");
  await target.nextResponse();
  for (const entry of [one, two]) {
    const all = await entry.client.ask<CountersAnswer>("GET", "/v1/counters");
    expect(all).toMatchObject({ unanswered: [], counters: { channels: 2, agentTypes: 1 } });
    expect(all.counters.failedCalls).toBe(before.counters.failedCalls + 1);
    expect(failedAt(all, idOfOne)).toBe(failedAt(before, idOfOne));
    expect(failedAt(all, idOfTwo)).toBe(failedAt(before, idOfTwo) + 1);
    const own = await entry.client.ask<CountersAnswer>("GET", "/v1/counters", { host: idOfOne });
    expect(own).toMatchObject({ counters: { channels: 1, agentTypes: 0 }, hosts: [{ host: { hostId: idOfOne } }] });
  }
});

test("a host without an admin entry is named among those whose activity is missing, and tells its counters", async () => {
  await using opened = new Opened();
  const { one, two, idOfTwo } = await openHosts(opened);
  await two.entry.close(0);
  const problem = "It counts nothing over time, because it has no admin entry.";
  expect((await activityOf(one)).unanswered).toMatchObject([{ hostId: idOfTwo, problem }]);
  const { hosts, unanswered } = await one.client.ask<CountersAnswer>("GET", "/v1/counters");
  expect([hosts.length, unanswered]).toEqual([2, []]);
});

test("a host shows its counters and activity only to principals of others that may see all of it", async () => {
  await using opened = new Opened();
  const rules = accessRules([
    { principal: "ada", allow: "see", types: "writer" },
    { principal: "boss", allow: "see", types: "*" },
    { principal: "*", allow: ["register", "call"], types: "*" },
  ]);
  const { rig, idOfTwo } = await openHosts(opened, { authorize: () => ({ name: "worker" }), rules });
  const ask = (kind: "counters" | "activity", name: string) => {
    // The asking host lets it see all: the other one decides.
    const viewer = { principal: { name, roles: [], attributes: {} }, may: () => true };
    const asked = { filter: {}, viewer, host: idOfTwo, places: undefined, limit: 500 };
    return operationsOf(rig.one.host.servicer).rows(kind, asked, AbortSignal.timeout(10_000));
  };
  for (const kind of ["counters", "activity"] as const) {
    expect((await ask(kind, "ada")).unanswered).toMatchObject([
      { problem: "Its rules do not let you see this. Ask its operator." },
    ]);
    expect((await ask(kind, "boss")).unanswered).toEqual([]);
  }
});
