import { expect, test } from "vitest";
import type { HostOccurrence } from "../../../../src/host/index.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { type ClusterRigOptions, clusterTransports } from "../../../support/cluster-rig.ts";
import { Inbox } from "../../../support/inbox.ts";
import { StalledCoordination } from "../../../support/stalled-coordination.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;

type At = "lease" | "peer" | "shard";

/** An observer of one kind of what happens, and what it has seen. */
function observerOf<Kind extends At>(at: Kind) {
  const seen = new Inbox<Extract<HostOccurrence, { at: Kind }>>();
  const observer = (what: HostOccurrence) => {
    if (what.at === at) seen.put(what as Extract<HostOccurrence, { at: Kind }>);
  };
  return { seen, observer };
}

test("an observer sees the links of a host open, end and open again, with the id of the other host", async () => {
  await using rig = await start();
  const { seen, observer } = observerOf("peer");
  const three: ClusterRigOptions = { host: { observer } };
  await rig.add(three);
  const opened = await seen.takeMany(4);
  const ids = [...new Set(opened.map(({ hostId }) => hostId))];
  expect(ids).toHaveLength(2);
  const both = (what: string) => ids.map((hostId) => `${what} ${hostId}`);
  const named = (all: typeof opened) => all.map(({ what, hostId }) => `${what} ${hostId}`).sort();
  expect(named(opened)).toEqual([...both("opened"), ...both("accepted")].sort());
  rig.cutLinks();
  const seenAfter: string[] = [];
  const wanted = ["lost", "ended", "opened", "accepted"].flatMap(both);
  while (!wanted.every((text) => seenAfter.includes(text))) seenAfter.push(...named([await seen.take()]));
});

test("an observer sees the lease of a host held, lost and held again", async () => {
  await using rig = await start();
  const { seen, observer } = observerOf("lease");
  const clock = new SteppedClock();
  const stores: StalledCoordination[] = [];
  const storeOf: ClusterRigOptions["storeOf"] = (store) => {
    const own = new StalledCoordination(store);
    stores.push(own);
    return own;
  };
  await rig.add({ host: { clock, observer }, storeOf });
  const [store] = stores;
  expect(seen.rest).toEqual([{ at: "lease", what: "held" }]);
  await seen.take();
  store?.goAway();
  await clock.pass(20_000);
  expect(await seen.take()).toEqual({ at: "lease", what: "lost" });
  store?.comeBack();
  await clock.pass(2_000);
  expect(await seen.take()).toEqual({ at: "lease", what: "held" });
});

test("an observer sees which shards of the mail its host takes, and that it drops them when it stops", async () => {
  const mailboxes = new MemoryStateStore();
  await mailboxes.open();
  const { log } = mailboxes;
  const [one, two] = [observerOf("shard"), observerOf("shard")];
  const observers = [one.observer, two.observer];
  await using rig = await start({ host: () => ({ observer: observers.shift() }), cluster: { log } });
  const taken = { at: "shard", what: "taken", shard: expect.any(Number) };
  expect(await one.seen.take()).toEqual(taken);
  const atTwo = await two.seen.take();
  expect(atTwo).toEqual(taken);
  await rig.two.host.stop({ graceMs: 0 });
  const dropped = two.seen.rest.filter(({ what }) => what === "dropped").map(({ shard }) => shard);
  expect(dropped).toContain(atTwo.shard);
});
