import type { OwnedShard, ShardUse } from "../../cluster/internal.ts";
import { type Clock, type DurableLog, errorText, type RuntimeLog, type Timer } from "../../core/internal.ts";
import type { Observers } from "../observer.ts";
import type { HostCourier } from "./host-courier.ts";

export interface MailShardsParts {
  readonly log: DurableLog;
  readonly courier: HostCourier;
  /** Opens the state store of the host. */
  readonly openStore: () => Promise<unknown>;
  readonly clock: Clock;
  readonly logger: RuntimeLog | undefined;
  readonly observers: Observers;
}

/** Shards of which other hosts hear together. */
const gatherMs = 5;

// protocol.md §12.9
/** The shards of a cluster's mail that this host owns, and what it tells the owners of others. */
export class MailShards implements ShardUse {
  readonly count: number;
  readonly #parts: MailShardsParts;
  /** Those that this host owns, each with what it was given for it. */
  readonly #owned = new Map<number, OwnedShard>();
  /** Shards with mail or reminders that this host has committed, for their owners. */
  readonly #news = new Set<number>();
  #newsTimer: Timer | undefined;
  /** Tells the other hosts of shards with news. Set while the host is in its cluster. */
  tellOthers: (shards: readonly number[]) => void = () => undefined;

  constructor(parts: MailShardsParts) {
    this.#parts = parts;
    this.count = parts.log.shards;
  }

  reached(shard: number): Promise<number> {
    return this.#parts.log.reached(shard);
  }

  take(shard: number, owned: OwnedShard): void {
    this.#owned.set(shard, owned);
    this.#parts.observers.now?.({ at: "shard", what: "taken", shard });
    void this.#take(shard, owned);
  }

  finish(shard: number): Promise<void> {
    return this.#parts.courier.finishShard(shard);
  }

  drop(shard: number): void {
    if (this.#owned.delete(shard)) this.#parts.observers.now?.({ at: "shard", what: "dropped", shard });
    this.#parts.courier.dropShard(shard);
  }

  /** This host has committed mail or reminders of agents in these shards. */
  committed(shards: Iterable<number>): void {
    for (const shard of shards) {
      if (this.#owned.has(shard)) this.#parts.courier.lookAgain();
      else this.#news.add(shard);
    }
    if (this.#news.size === 0) return;
    this.#newsTimer ??= this.#parts.clock.setTimer(gatherMs, () => {
      this.#newsTimer = undefined;
      const shards = [...this.#news];
      this.#news.clear();
      this.tellOthers(shards);
    });
  }

  /** Another host has committed something in these shards. */
  hear(shards: readonly number[]): void {
    if (shards.some((shard) => this.#owned.has(shard))) this.#parts.courier.lookAgain();
  }

  async #take(shard: number, owned: OwnedShard): Promise<void> {
    const { openStore, courier, logger } = this.#parts;
    try {
      await openStore();
    } catch (error) {
      logger?.warn("this host can't deliver mail, since its state store does not open", { error: errorText(error) });
      if (this.#owned.get(shard) === owned) owned.ended();
      return;
    }
    if (this.#owned.get(shard) === owned) await courier.takeShard(shard, owned);
  }
}
