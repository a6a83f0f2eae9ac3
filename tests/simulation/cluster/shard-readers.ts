import { parseShard, type ShardUse } from "../../../src/cluster/internal.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { HostSeat } from "./host-seat.ts";

/** Shards of a world: fewer than there are, so that each changes hands often. */
export const shardsOfWorld = 6;
const longestFinishMs = 3_000;

/** What a host of a world does with its shards. */
export function shardUseOf(world: ClusterWorld, host: HostSeat): ShardUse {
  return host.mail === undefined ? silentUse(world, host) : mailUse(world, host, host.mail.use(shardsOfWorld));
}

/** A host that has mail reads its shards. */
function mailUse(world: ClusterWorld, host: HostSeat, use: ShardUse): ShardUse {
  const { ledger } = world;
  return {
    count: shardsOfWorld,
    reached: (shard) => use.reached(shard),
    take: (shard, owned) => {
      ledger.line(() => `${host.name} reads shard ${shard} under ${owned.token}`);
      ledger.figures.shardsTaken += 1;
      if (owned.lost.length > 0) ledger.figures.lostReaders += 1;
      checkTaken(world, host, shard);
      host.reading.add(shard);
      use.take(shard, owned);
    },
    finish: (shard) => {
      ledger.line(() => `${host.name} finishes shard ${shard}`);
      ledger.figures.shardsHandedOver += 1;
      return use.finish(shard);
    },
    drop: (shard) => {
      ledger.line(() => `${host.name} drops shard ${shard}`);
      host.reading.delete(shard);
      use.drop(shard);
    },
  };
}

/** A host without mail reads nothing, but says when it would. */
function silentUse(world: ClusterWorld, host: HostSeat): ShardUse {
  const { ledger, clock, reachedPlaces } = world;
  const dice = world.dice.fork(`shards of ${host.name}`);
  const owned = new Map<number, () => void>();
  return {
    count: shardsOfWorld,
    // The servers of the log answer after a while, or not at all.
    reached: (shard) =>
      new Promise((resolve, reject) => {
        host.clock.setTimer(dice.between(1, 300), () => {
          if (dice.chance(0.1)) reject(new Error("no answer"));
          else resolve(reachedPlaces.get(shard) ?? 0);
        });
      }),
    take: (shard, { token, lost, ended }) => {
      ledger.line(() => `${host.name} reads shard ${shard} under ${token}`);
      ledger.figures.shardsTaken += 1;
      if (lost.length > 0) ledger.figures.lostReaders += 1;
      checkTaken(world, host, shard);
      const before = reachedPlaces.get(shard) ?? 0;
      host.reading.add(shard);
      owned.set(shard, ended);
      // The log refuses a reader with a lower token than that of the last one.
      if (token <= before) {
        host.clock.setTimer(1, () => owned.get(shard) === ended && ended(before));
        return;
      }
      reachedPlaces.set(shard, token);
      // A reading may end by itself, when the servers of the log have restarted.
      if (dice.chance(0.05)) clock.setTimer(dice.between(1_000, 10_000), () => owned.get(shard) === ended && ended());
    },
    finish: (shard) => {
      ledger.line(() => `${host.name} finishes shard ${shard}`);
      ledger.figures.shardsHandedOver += 1;
      return new Promise((resolve) => host.clock.setTimer(dice.between(0, longestFinishMs), resolve));
    },
    drop: (shard) => {
      ledger.line(() => `${host.name} drops shard ${shard}`);
      host.reading.delete(shard);
      owned.delete(shard);
    },
  };
}

/** A shard is never read by two hosts that serve. */
function checkTaken(world: ClusterWorld, host: HostSeat, shard: number): void {
  const { ledger, hosts } = world;
  if (!host.member.isServing) ledger.breach("shards", `${host.name} reads shard ${shard}, and does not serve`);
  if (ledger.mayBeForgotten) return;
  const other = hosts.find((one) => one !== host && one.isLive && one.reading.has(shard) && one.member.isServing);
  if (other !== undefined)
    ledger.breach("shards", `${host.name} reads shard ${shard}, which ${other.name} still reads`);
}

/** After everything is healed, each shard has one reader, which its record names. */
export function checkShardsSettled(world: ClusterWorld): void {
  const { ledger, coordination } = world;
  const hosts = world.hosts.filter(({ takesWorkers }) => takesWorkers);
  const records = new Map(
    coordination.entries("shard.").flatMap(({ value }) => {
      const record = parseShard(value);
      return record === undefined ? [] : [[record.shard, record] as const];
    }),
  );
  for (let shard = 0; shard < shardsOfWorld; shard += 1) {
    const readers = hosts.filter(({ reading }) => reading.has(shard));
    const names = readers.map(({ name }) => name).join(" ") || "nobody";
    if (readers.length !== 1) ledger.breach("shards", `shard ${shard} is read by ${names}`);
    else if (records.get(shard)?.hostId !== readers[0]?.member.hostId)
      ledger.breach("shards", `the record of shard ${shard} does not name ${names}, which reads it`);
  }
}
