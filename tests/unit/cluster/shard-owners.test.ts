import { afterEach, describe, expect, it } from "vitest";
import { MemoryCoordinationStore } from "../../../src/cluster/index.ts";
import { ClusterMember, type OwnedShard, parseShard } from "../../../src/cluster/internal.ts";
import { nextTurn } from "../../../src/core/internal.ts";
import { simulatedTime } from "../../support/simulated-time.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const members: ClusterMember[] = [];
const count = 8;

afterEach(() => {
  for (const member of members.splice(0)) member.abandon();
});

/** A host, and what it does with its shards. */
interface Reader {
  readonly member: ClusterMember;
  readonly store: MemoryCoordinationStore;
  readonly reading: Map<number, OwnedShard>;
  /** Resolve what is under way in shards that it finishes. */
  readonly finishing: Map<number, () => void>;
  readonly told: string[];
}

function world() {
  const { dice, clock, run, pass } = simulatedTime(3);
  const store = new MemoryCoordinationStore({ clock });
  const start = async (
    label: string,
    { finishes = true, readsMail = true, reached = reachedOf } = {},
  ): Promise<Reader> => {
    const reading = new Map<number, OwnedShard>();
    const finishing = new Map<number, () => void>();
    const told: string[] = [];
    const client = store.reopen();
    const shards = {
      count,
      reached,
      take: (shard: number, owned: OwnedShard) => {
        reading.set(shard, owned);
        told.push(`take ${shard}`);
      },
      finish: (shard: number) => {
        told.push(`finish ${shard}`);
        return finishes ? Promise.resolve() : new Promise<void>((resolve) => finishing.set(shard, resolve));
      },
      drop: (shard: number) => {
        reading.delete(shard);
        told.push(`drop ${shard}`);
      },
    };
    const member = new ClusterMember({
      ...{ store: client, clock, makeId: () => dice.id(), logger: silent },
      host: { label, peerAddress: `${label}:1`, workerAddress: `${label}:2` },
      ...(readsMail ? { shards } : {}),
    });
    members.push(member);
    await run(member.start());
    await pass(3_000);
    return { member, store: client, reading, finishing, told };
  };
  const recordOf = async (shard: number) => {
    const found = await store.read(`shard.${shard}`);
    return found === undefined || found === "unknown" ? undefined : parseShard(found.value);
  };
  return { clock, pass, run, start, recordOf };
}

const reachedOf = async (shard: number): Promise<number> => 100 + shard;
const shardsOf = ({ reading }: Reader) => [...reading.keys()].sort((one, other) => one - other);
const all = Array.from({ length: count }, (_, shard) => shard);

describe("the shards of the mail in a cluster", () => {
  it("are all read by the only host, and each by one of two when another has come", async () => {
    const { start, recordOf } = world();
    const one = await start("one");
    expect(shardsOf(one)).toEqual(all);
    const two = await start("two");
    expect(shardsOf(two).length).toBeGreaterThan(0);
    expect([...shardsOf(one), ...shardsOf(two)].sort()).toEqual(all);
    for (const shard of shardsOf(two))
      expect(await recordOf(shard)).toMatchObject({ hostId: two.member.hostId, lost: [] });
  });

  it("are never wanted by a host that reads no mail", async () => {
    const { start } = world();
    const one = await start("one");
    await start("two", { readsMail: false });
    expect(shardsOf(one)).toEqual(all);
  });

  it("are handed over when what is under way there has ended, under a higher token", async () => {
    const { start, pass } = world();
    const one = await start("one", { finishes: false });
    const before = new Map(one.reading);
    const two = await start("two");
    expect(two.reading.size).toBe(0);
    expect(one.reading.size).toBe(count);
    expect(one.finishing.size).toBeGreaterThan(0);
    for (const end of one.finishing.values()) end();
    await pass(2_000);
    expect(shardsOf(two)).toEqual([...one.finishing.keys()].sort());
    for (const [shard, { token }] of two.reading) expect(token).toBeGreaterThan(before.get(shard)?.token ?? 0);
  });

  it("are handed over after 30 s at the latest", async () => {
    const { start, pass } = world();
    const one = await start("one", { finishes: false });
    const two = await start("two");
    await pass(25_000);
    expect(two.reading.size).toBe(0);
    await pass(8_000);
    expect(two.reading.size).toBe(one.finishing.size);
    expect([...shardsOf(one), ...shardsOf(two)].sort()).toEqual(all);
  });

  it("go to another host when their owner was lost, with the place up to which it may have had messages", async () => {
    const { start, pass, recordOf } = world();
    const one = await start("one");
    const two = await start("two");
    const lost = shardsOf(one);
    one.member.abandon();
    await pass(15_000);
    expect(shardsOf(two)).not.toEqual(all);
    await pass(15_000);
    expect(shardsOf(two)).toEqual(all);
    for (const shard of lost) {
      expect(two.reading.get(shard)?.lost).toEqual([{ upTo: 100 + shard, count: 1 }]);
      expect(await recordOf(shard)).toMatchObject({ lost: [{ upTo: 100 + shard, count: 1 }] });
    }
  });

  it("are dropped at once by an isolated host, so that it reads none", async () => {
    const { start, pass } = world();
    const one = await start("one");
    const tokens = new Map([...one.reading].map(([shard, { token }]) => [shard, token]));
    await one.store.close();
    await pass(25_000);
    expect(one.member.isServing).toBe(false);
    expect(one.reading.size).toBe(0);
    expect(tokens.size).toBe(count);
  });

  it("are taken anew when a reading has ended by itself", async () => {
    const { start, pass } = world();
    const one = await start("one");
    const before = one.reading.get(3);
    before?.ended();
    expect(one.reading.has(3)).toBe(false);
    await pass(2_000);
    expect(one.reading.get(3)?.token).toBeGreaterThan(before?.token ?? 0);
    // It ends nothing of what came later.
    before?.ended();
    expect(one.reading.has(3)).toBe(true);
  });

  it("are taken under a higher token than one for which the log has refused them", async () => {
    const { start, pass } = world();
    const one = await start("one");
    one.reading.get(3)?.ended(1_000_000);
    await pass(2_000);
    expect(one.reading.get(3)?.token).toBe(1_000_001);
    expect(one.reading.get(4)?.token).toBeLessThan(1_000);
  });

  it("are taken anew when the store has forgotten who reads them", async () => {
    const { start, pass, recordOf } = world();
    const one = await start("one");
    const before = one.reading.get(3);
    expect(before).toBeDefined();
    const read = one.store.read.bind(one.store);
    one.store.read = async (key) => (key === "shard.3" && one.reading.get(3) === before ? undefined : await read(key));
    await pass((count + 2) * 1_000);
    expect(one.reading.get(3)?.token).toBeGreaterThan(before?.token ?? 0);
    expect(await recordOf(3)).toMatchObject({ hostId: one.member.hostId });
    expect(one.told.filter((what) => what.startsWith("drop"))).toEqual(["drop 3"]);
  });

  it("go to another host while theirs drains, at once, and their host serves meanwhile", async () => {
    const { start, pass, run } = world();
    const one = await start("one", { finishes: false });
    const two = await start("two", { finishes: false });
    for (const end of one.finishing.values()) end();
    await pass(2_000);
    one.finishing.clear();
    const held = one.reading.size;
    expect(held).toBeGreaterThan(0);
    await run(one.member.drain());
    const handedOver = one.member.handOverShards();
    expect([...one.finishing.keys()].sort()).toEqual(shardsOf(one));
    expect(one.reading.size).toBe(held);
    for (const end of one.finishing.values()) end();
    await handedOver;
    expect(one.reading.size).toBe(0);
    expect(one.member.isServing).toBe(true);
    expect(one.member.counters.shardsHandedOver).toBe(count);
    // No time passes: the other host does not wait for its next look.
    for (let turn = 0; turn < 100 && two.reading.size < count; turn += 1) await nextTurn();
    expect(shardsOf(two)).toEqual(all);
  });

  it("are not taken by a host that leaves its own", async () => {
    const { start, pass, run, recordOf } = world();
    const one = await start("one");
    const answers: ((place: number) => void)[] = [];
    const reached = () => new Promise<number>((resolve) => answers.push(resolve));
    const two = await start("two", { reached });
    one.member.abandon();
    await pass(30_000);
    expect(answers.length).toBeGreaterThan(0);
    const left = two.member.handOverShards();
    for (const answer of answers) answer(100);
    await run(left);
    await pass(5_000);
    expect(two.reading.size).toBe(0);
    for (const shard of all) expect((await recordOf(shard))?.hostId).not.toBe(two.member.hostId);
  });

  it("are free when their host leaves, so that others take them without waiting for its lease", async () => {
    const { start, pass, run } = world();
    const one = await start("one");
    const two = await start("two");
    await run(one.member.leave());
    expect(one.reading.size).toBe(0);
    await pass(2_500);
    expect(shardsOf(two)).toEqual(all);
    for (const { lost } of two.reading.values()) expect(lost).toEqual([]);
  });
});
