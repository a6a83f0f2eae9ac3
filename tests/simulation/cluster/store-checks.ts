import type { StoreEntry } from "../../../src/cluster/index.ts";
import { parseHost, parseType, parseWorker, readClaim } from "../../../src/cluster/internal.ts";
import { compareEpochs, formatEpoch } from "../../../src/core/internal.ts";
import type { CoordinationWrite } from "../../../src/testing/index.ts";
import type { ClusterWorld } from "./cluster-world.ts";

/** Checks each write at the moment at which it happens, with everything that a world knows. */
export function checkWrite(world: ClusterWorld, { entry, before, client }: CoordinationWrite): void {
  const { ledger } = world;
  ledger.line(() => `store: ${client} writes ${entry.key.slice(0, 30)} at ${entry.revision}: ${textOf(entry)}`);
  if (ledger.mayBeForgotten) return;
  if (entry.key.startsWith("host.")) checkHost(world, entry, client);
  if (entry.key.startsWith("worker.")) checkWorker(world, entry, before);
  if (entry.key.startsWith("claim.")) checkClaim(world, entry, before);
  if (entry.key.startsWith("type.")) checkType(world, entry, before);
}

function textOf({ value }: StoreEntry): string {
  return new TextDecoder().decode(value).slice(0, 200);
}

/** When others act on the end of a host's lease, the host knows that it is over. */
function checkHost(world: ClusterWorld, entry: StoreEntry, client: string): void {
  const record = parseHost(entry.value);
  if (record?.state !== "dead") return;
  const holder = world.hosts.find((host) => host.isLive && host.member?.hostId === record.hostId);
  if (holder === undefined || holder.name === client || !holder.member.isServing) return;
  world.ledger.breach(
    "leases",
    `${client} declares ${holder.name} dead, which still serves for ${holder.member.leaseLeftMs} ms`,
  );
}

/** A worker that is gone starts nothing, and no host sends it anything. */
function checkWorker(world: ClusterWorld, entry: StoreEntry, before: StoreEntry | undefined): void {
  const record = parseWorker(entry.value);
  const then = before && parseWorker(before.value);
  if (record?.state === "here" && (then === undefined ? record.session > 1 : then.state === "gone"))
    world.ledger.breach("claims", `worker ${record.workerId} was gone, and is here again`);
  if (record?.state !== "gone") return;
  const worker = world.workers.find((one) => one.isLive && world.workerIdOf(one) === record.workerId);
  if (worker?.mayStartTurns === true) world.ledger.breach("leases", `${worker.name} is buried while its lease lasts`);
  // A host that is paused may not know yet that the channel of its session is gone: nothing that it sends arrives.
  const host = world.hosts.find((one) => worker !== undefined && one.isLive && one.mayReach(worker, record.workerId));
  if (host !== undefined) world.ledger.breach("leases", `a worker is buried while ${host.name} may send it messages`);
}

/** I1: claims only go forward, and another worker's claim is a new one. */
function checkClaim({ ledger }: ClusterWorld, entry: StoreEntry, before: StoreEntry | undefined): void {
  const now = readClaim(entry);
  const then = before && readClaim(before);
  if (now === undefined) return ledger.breach("claims", `${entry.key} can't be read`);
  if (then === undefined) return;
  const order = compareEpochs(now.epoch, then.epoch);
  const texts = `${formatEpoch(then.epoch)} by ${formatEpoch(now.epoch)}`;
  if (order < 0 || (order === 0 && now.workerId !== then.workerId))
    ledger.breach("claims", `a claim of ${now.agent.type}/${now.agent.key} is replaced: ${texts}`);
}

function checkType(world: ClusterWorld, entry: StoreEntry, before: StoreEntry | undefined): void {
  const now = parseType(entry.value);
  const then = before && parseType(before.value);
  if (now === undefined) return world.ledger.breach("claims", `${entry.key} can't be read`);
  if (then === undefined) return;
  if (now.era < then.era) world.ledger.breach("claims", `the era of ${now.type} goes back`);
  if (now.mode !== "exclusive" || then.mode !== "exclusive") return;
  const isGone = !world.coordination.entries("worker.").some(({ value }) => {
    const worker = parseWorker(value);
    return worker?.workerId === then.workerId && worker.state === "here";
  });
  if (now.workerId !== then.workerId && !isGone)
    world.ledger.breach("claims", `${now.type} is taken from a live worker`);
}

/** After everything is healed, records name what lives, and hosts know the same. */
export function checkSettled(world: ClusterWorld): void {
  const { ledger, coordination } = world;
  const hosts = world.hosts.filter(({ takesWorkers }) => takesWorkers);
  for (const host of hosts) {
    if (!host.member.isServing) ledger.breach("settled", `${host.name} does not serve`);
    if (host.member.underWay > 0) ledger.breach("settled", `${host.name} has ${host.member.underWay} asks under way`);
    if (host.member.claims.moving + host.moving > 0) ledger.breach("settled", `${host.name} has frozen agents`);
  }
  const livingHosts = hosts.map(({ member }) => member.hostId).sort();
  const upHosts = coordination.entries("host.").flatMap(({ value }) => {
    const record = parseHost(value);
    return record !== undefined && record.state !== "dead" ? [record.hostId] : [];
  });
  compare(ledger, "settled", "hosts that are up", upHosts, livingHosts);
  const here = workersOf(coordination.entries("worker."), "here");
  const living = world.workers.filter(({ isLive }) => isLive).map((worker) => world.workerIdOf(worker));
  compare(ledger, "settled", "workers that are here", here, living);
  for (const host of hosts) {
    const known = [...host.member.knownWorkers.values()].filter(({ record }) => record.state === "here");
    compare(
      ledger,
      "settled",
      `workers that ${host.name} knows`,
      known.map(({ record }) => record.workerId),
      living,
    );
  }
}

/** Long after that, nothing is left of what is gone. */
export function checkLeaks(world: ClusterWorld): void {
  const { ledger, coordination } = world;
  compare(ledger, "leaks", "records of gone workers", workersOf(coordination.entries("worker."), "gone"), []);
  const dead = coordination.entries("host.").flatMap(({ value }) => {
    const record = parseHost(value);
    return record?.state === "dead" ? [record.hostId] : [];
  });
  compare(ledger, "leaks", "records of dead hosts", dead, []);
  const living = new Set(world.workers.filter(({ isLive }) => isLive).map((worker) => world.workerIdOf(worker)));
  const serves = coordination.entries("serve.").filter(({ key }) => !living.has(key.split(".")[2] ?? ""));
  compare(
    ledger,
    "leaks",
    "records of what gone workers served",
    serves.map(({ key }) => key),
    [],
  );
  for (const host of world.hosts) {
    if (!host.takesWorkers) continue;
    const gone = [...host.member.knownWorkers.values()].filter(({ record }) => record.state === "gone").length;
    if (gone > 0) ledger.breach("leaks", `${host.name} still knows ${gone} gone workers`);
  }
}

function workersOf(entries: readonly StoreEntry[], state: "here" | "gone"): string[] {
  return entries.flatMap(({ value }) => {
    const record = parseWorker(value);
    return record?.state === state ? [record.workerId] : [];
  });
}

function compare(
  ledger: ClusterWorld["ledger"],
  checker: "settled" | "leaks",
  what: string,
  found: readonly string[],
  wanted: readonly string[],
): void {
  const [one, other] = [found, wanted].map((list) =>
    [...list]
      .sort()
      .map((id) => id.slice(0, 8))
      .join(" "),
  );
  if (one !== other) ledger.breach(checker, `${what}: ${one || "none"}, not ${other || "none"}`);
}
