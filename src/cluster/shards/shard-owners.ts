import type { LostReaders } from "../../core/internal.ts";
import type { KnownHosts } from "../hosts/known-hosts.ts";
import { preferred } from "../hosts/preferred.ts";
import type { Life } from "../life.ts";
import { type Known, KnownRecords } from "../records/known-records.ts";
import { encodeShard, type ShardRecord, shardIn } from "../records/records.ts";
import { prefixes, shardKey } from "../records/store-keys.ts";

/** A shard that this host owns from now on. */
export interface OwnedShard {
  /** Higher than that of each owner before. */
  readonly token: number;
  /** Owners that were lost while they read it. */
  readonly lost: readonly LostReaders[];
  /**
   * The reading has ended by itself: the shard is taken anew, if it still is this host's. `taken`: the log has refused the token for this one
   * of another reader. A higher one is used from then on: after the store has forgotten writes, its revisions are smaller than before.
   */
  readonly ended: (taken?: number) => void;
}

/** Reads the shards that a host owns. Functions must not throw. */
export interface ShardUse {
  /** Number of shards; the same at all hosts. */
  readonly count: number;
  /** The place up to which a shard was read. 0: it is not known. May reject: then it is asked again. */
  reached(shard: number): Promise<number>;
  /** Begins to read. */
  take(shard: number, owned: OwnedShard): void;
  /** Begins nothing new; resolves when what is under way has ended. */
  finish(shard: number): Promise<void>;
  /** Ends the reading at once. Also after `finish`. */
  drop(shard: number): void;
}

/** Options of `ShardOwners`. */
export interface ShardOwnersOptions {
  readonly life: Life;
  readonly hosts: KnownHosts;
  readonly use: ShardUse;
  readonly onCaughtUp: () => void;
}

type Holding =
  /** Its record is being written; nothing is read. */
  | { readonly at: "taking" }
  | { readonly at: "reading"; readonly revision: number }
  /** Work that is under way ends; then the record is written as free. */
  | { readonly at: "leaving"; readonly revision: number };

/**
 * Says which host reads which shard of the mail. A shard has a record with its owner. All hosts that are up want the same owner for it, which
 * takes it when it is free or when its owner is dead. An owner that is no longer wanted finishes what is under way, and frees it.
 */
export class ShardOwners {
  readonly #options: ShardOwnersOptions;
  readonly #life: Life;
  readonly #records: KnownRecords<ShardRecord>;
  readonly #holdings = new Map<number, Holding>();
  /** The lowest token that the log takes for a shard, where it has refused one. */
  readonly #leastTokens = new Map<number, number>();
  /** Shards that are being taken. None of the promises rejects. */
  readonly #takings = new Map<number, Promise<void>>();
  #left: Promise<void> | undefined;
  /** The shard whose record was read last to see whether the store still has it. */
  #verified = -1;
  #isLeaving = false;
  #isOver = false;

  constructor(options: ShardOwnersOptions) {
    this.#options = options;
    const { life, onCaughtUp } = options;
    this.#life = life;
    this.#records = new KnownRecords({
      read: shardIn,
      now: () => life.monotonicNow(),
      onChange: (known) => this.#changed(known),
    });
    this.#records.watch(life.store, prefixes.shard, onCaughtUp);
  }

  get isCaughtUp(): boolean {
    return this.#records.isCaughtUp;
  }

  /** Number of shards; the same at all hosts. */
  get count(): number {
    return this.#options.use.count;
  }

  /** The shards that this host reads, or finishes reading. */
  get owned(): readonly number[] {
    return [...this.#holdings].filter(([, { at }]) => at !== "taking").map(([shard]) => shard);
  }

  /** The owner of each shard that has one, as far as it is known here. */
  get owners(): ReadonlyMap<number, string> {
    const all = [...this.#records.values()].filter(({ record }) => record.hostId !== "");
    return new Map(all.map(({ record }) => [record.shard, record.hostId]));
  }

  /** Looks at all shards. Called each second while this host serves (rule R5). */
  look(): void {
    if (this.#isLeaving) return;
    const { use } = this.#options;
    const names = this.#readers();
    for (let shard = 0; shard < use.count; shard += 1) {
      const isWanted = preferred(names, `shard/${shard}`) === this.#life.hostId;
      const holding = this.#holdings.get(shard);
      if (isWanted && holding === undefined) this.#begin(shard);
      if (isWanted) continue;
      if (holding?.at === "reading") void this.#leave(shard, holding.revision);
      // After an unknown outcome the record may name this host, which does not read the shard.
      if (holding === undefined && this.#isNamed(shard)) void this.#free(shard);
    }
    void this.#verifyNext();
  }

  /** This host does not serve any more: it reads nothing from now on. */
  isolated(): void {
    for (const shard of this.owned) this.#drop(shard);
  }

  /** Frees all shards, and takes no more; resolves when it has tried to. Each is free for others as soon as nothing is under way there. */
  leave(): Promise<void> {
    this.#isLeaving = true;
    this.#left ??= this.#leaveAll();
    return this.#left;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#records.end();
    this.isolated();
  }

  async #leaveAll(): Promise<void> {
    const held = [...this.#holdings];
    await Promise.all([
      ...held.map(([shard, holding]) => (holding.at === "reading" ? this.#leave(shard, holding.revision) : undefined)),
      ...this.#takings.values(),
    ]);
  }

  /** The hosts that may own shards. */
  #readers(): readonly string[] {
    const up = this.#options.hosts.living().filter(({ state, readsMail }) => state === "up" && readsMail === true);
    return up.map(({ hostId }) => hostId);
  }

  #begin(shard: number): void {
    const taking = this.#take(shard).then(() => {
      if (this.#takings.get(shard) === taking) this.#takings.delete(shard);
    });
    this.#takings.set(shard, taking);
  }

  async #take(shard: number): Promise<void> {
    const taking: Holding = { at: "taking" };
    this.#holdings.set(shard, taking);
    const owned = await this.#write(shard).catch(() => undefined);
    if (this.#holdings.get(shard) !== taking) return;
    this.#holdings.delete(shard);
    // Rule R2: it may have become isolated meanwhile.
    if (owned === undefined || this.#isOver || !this.#life.isServing()) return;
    // It reads the shard for the cluster no more, and no other host takes the shard while the record names this one.
    if (this.#isLeaving) return await this.#free(shard);
    const reading: Holding = { at: "reading", revision: owned.revision };
    this.#holdings.set(shard, reading);
    this.#options.use.take(shard, {
      token: Math.max(owned.revision, this.#leastTokens.get(shard) ?? 0),
      lost: owned.record.lost,
      ended: (taken) => {
        if (this.#holdings.get(shard) !== reading) return;
        if (taken !== undefined) this.#leastTokens.set(shard, taken + 1);
        this.#drop(shard);
      },
    });
  }

  /** Writes the record of a shard for this host, if no other host may have it. */
  async #write(shard: number): Promise<Known<ShardRecord> | undefined> {
    const { hosts, use } = this.#options;
    const known = this.#records.get(shardKey(shard));
    const owner = known?.record.hostId ?? "";
    const isOwn = owner === this.#life.hostId;
    let lost = known?.record.lost ?? [];
    if (owner !== "" && !isOwn) {
      if ((await hosts.isDead(owner)) !== true) return undefined;
      const upTo = await use.reached(shard);
      if (upTo > 0) lost = [...lost, { upTo, count: 1 }];
    }
    if (this.#isOver || this.#isLeaving || !this.#life.isServing()) return undefined;
    const record: ShardRecord = { shard, hostId: this.#life.hostId, lost };
    return await this.#put(record, known?.revision ?? 0);
  }

  /** Reads the record of one of its shards anew. If the store has forgotten what this host wrote, the shard is taken anew. */
  async #verifyNext(): Promise<void> {
    const shards = [...this.#holdings].flatMap(([shard, { at }]) => (at === "reading" ? [shard] : []));
    shards.sort((one, other) => one - other);
    const shard = shards.find((each) => each > this.#verified) ?? shards[0];
    const holding = shard === undefined ? undefined : this.#holdings.get(shard);
    if (shard === undefined || holding?.at !== "reading") return;
    this.#verified = shard;
    const key = shardKey(shard);
    const found = await this.#life.store.readFresh(key);
    if (found === "unknown" || this.#holdings.get(shard) !== holding) return;
    if (found !== undefined && found.revision >= holding.revision) return this.#records.learn(found);
    this.#records.forget(key);
    if (found !== undefined) this.#records.learn(found);
    this.#drop(shard);
  }

  /** Ends the reading in order, and frees the shard. */
  async #leave(shard: number, revision: number): Promise<void> {
    const { use } = this.#options;
    const leaving: Holding = { at: "leaving", revision };
    this.#holdings.set(shard, leaving);
    const finished = use.finish(shard).catch(() => undefined);
    await Promise.race([finished, this.#life.pause(this.#life.times.handOverMs)]);
    // It was dropped meanwhile: this host was isolated, or another has the shard.
    if (this.#holdings.get(shard) !== leaving) return;
    this.#life.counters.shardsHandedOver += 1;
    use.drop(shard);
    await this.#free(shard);
  }

  async #free(shard: number): Promise<void> {
    const freeing: Holding = { at: "taking" };
    this.#holdings.set(shard, freeing);
    const known = this.#records.get(shardKey(shard));
    if (this.#isNamed(shard) && known !== undefined) await this.#put({ ...known.record, hostId: "" }, known.revision);
    if (this.#holdings.get(shard) === freeing) this.#holdings.delete(shard);
  }

  #isNamed(shard: number): boolean {
    return this.#records.get(shardKey(shard))?.record.hostId === this.#life.hostId;
  }

  async #put(record: ShardRecord, expected: number): Promise<Known<ShardRecord> | undefined> {
    const key = shardKey(record.shard);
    const value = encodeShard(record);
    const outcome = await this.#life.store.write(key, value, expected);
    if (outcome.at === "conflict" && outcome.found !== undefined) this.#records.learn(outcome.found);
    if (outcome.at !== "written") return undefined;
    this.#records.learn({ key, value, revision: outcome.revision });
    return this.#records.get(key);
  }

  /** Another host has written the record: it has the shard, or has freed it. */
  #changed({ record: { shard, hostId }, revision }: Known<ShardRecord>): void {
    const holding = this.#holdings.get(shard);
    if (holding === undefined && hostId === "" && this.#mayTake(shard)) return this.#begin(shard);
    if (holding === undefined || holding.at === "taking" || revision <= holding.revision) return;
    if (hostId !== this.#life.hostId) this.#drop(shard);
  }

  /** Whether this host takes the shard at once, without a wait for its next look. */
  #mayTake(shard: number): boolean {
    if (this.#isLeaving || this.#isOver || !this.isCaughtUp || !this.#life.isServing()) return false;
    return preferred(this.#readers(), `shard/${shard}`) === this.#life.hostId;
  }

  #drop(shard: number): void {
    const holding = this.#holdings.get(shard);
    this.#holdings.delete(shard);
    if (holding !== undefined && holding.at !== "taking") this.#options.use.drop(shard);
  }
}
