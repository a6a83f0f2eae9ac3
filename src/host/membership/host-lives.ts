import {
  type ClusterCounters,
  ClusterMember,
  createClusterCounters,
  type HeldClaims,
  type LifeEnd,
  type MemberListener,
  type ShardUse,
} from "../../cluster/internal.ts";
import { type Clock, errorText, type Logger, type MakeId } from "../../core/internal.ts";
import type { HostClusterOptions } from "../cluster-options.ts";
import type { PresentLife } from "./channel-joins.ts";

export interface HostLivesParts {
  readonly options: HostClusterOptions;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly logger: Logger | undefined;
  /** Undefined: the host reads no mail. */
  readonly shards: ShardUse | undefined;
  /** Listens to a member that begins. */
  readonly listenerOf: (member: () => ClusterMember) => MemberListener;
  /** The newest generation that the state store knows. */
  readonly storedGeneration: () => number;
  /** A life is over that other hosts or the store have ended; the next one begins. */
  readonly onNextLife: (member: ClusterMember, end: Exclude<LifeEnd, "left">) => void;
  /** The claims of each life. */
  readonly held: HeldClaims;
  /** A life serves for the first time. */
  readonly onBegun: (member: ClusterMember) => void;
}

class Life implements PresentLife {
  readonly member: ClusterMember;
  readonly begun: Promise<void>;
  #markBegun: () => void = () => undefined;
  #hasBegun = false;

  constructor(member: ClusterMember) {
    this.member = member;
    this.begun = new Promise((resolve) => {
      this.#markBegun = resolve;
    });
    void member.ended.then(() => this.#markBegun());
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Rejects as the start of a member does. */
  async begin(): Promise<void> {
    await this.member.start();
    this.#hasBegun = true;
    this.#markBegun();
  }
}

/** Milliseconds after which a life is tried again that could not begin. */
const retryMs = 1_000;

// protocol.md §12.7
/** The lives of this host in its cluster, one after the other: under each it has another host id. */
export class HostLives {
  readonly #parts: HostLivesParts;
  #count = 0;
  /** The sum of the counters of the lives before this one. */
  #before: Readonly<ClusterCounters> = createClusterCounters();
  /** Where the host is reached, as far as is known. */
  #addresses: { readonly peerAddress: string; readonly workerAddress: string } = { peerAddress: "", workerAddress: "" };
  #now: Life;
  #isEnding = false;

  constructor(parts: HostLivesParts) {
    this.#parts = parts;
    this.#now = this.#create();
  }

  get now(): PresentLife {
    return this.#now;
  }

  /** The sum of the counters of all lives. */
  get counters(): Readonly<ClusterCounters> {
    return added(this.#before, this.member.counters);
  }

  /** The number of lives, with the present one. */
  get count(): number {
    return this.#count;
  }

  get member(): ClusterMember {
    return this.#now.member;
  }

  /**
   * Begins the first life; resolves when it serves, or is over. Rejects with `invalid-argument` if the other hosts have other time limits.
   */
  async start(): Promise<void> {
    await this.#begin(this.#now);
  }

  /** Says where other hosts and workers reach this host. */
  describe(addresses: { readonly peerAddress?: string; readonly workerAddress?: string }): void {
    this.#addresses = { ...this.#addresses, ...addresses };
    this.member.describe(addresses);
  }

  /** Tells the cluster that this host takes no new workers. Never rejects. */
  async drain(): Promise<void> {
    this.#isEnding = true;
    await this.member.drain();
  }

  /** Leaves the cluster when all leases are over. Never rejects. */
  async leave(): Promise<void> {
    this.#isEnding = true;
    await this.member.leave();
  }

  /** Ends the life at once. Other hosts declare this one dead when its lease is over. */
  abandon(): void {
    this.#isEnding = true;
    this.member.abandon();
  }

  #create(): Life {
    this.#count += 1;
    const { options, clock, makeId, logger, listenerOf, held } = this.#parts;
    const { store, label = "", leaseMs, workerLeaseMs, rejoinGraceMs } = options;
    const times = {
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(workerLeaseMs === undefined ? {} : { workerLeaseMs }),
      ...(rejoinGraceMs === undefined ? {} : { rejoinGraceMs }),
    };
    const member: ClusterMember = new ClusterMember({
      ...{ store, clock, makeId, times, held, logger: logger ?? noLogger },
      host: { label, ...this.#addresses },
      listener: listenerOf(() => member),
      storedGeneration: this.#parts.storedGeneration,
      shards: this.#parts.shards,
    });
    return new Life(member);
  }

  async #begin(life: Life): Promise<void> {
    await life.begin();
    if (life.member.isServing) this.#parts.onBegun(life.member);
    void life.member.ended.then((end) => this.#next(end));
  }

  #next(end: LifeEnd): void {
    if (end === "left" || this.#isEnding) return;
    const { logger, onNextLife } = this.#parts;
    const why =
      end === "dead"
        ? "other hosts have declared it dead, since it did not renew its lease"
        : "the store of the cluster has forgotten writes";
    logger?.warn(`this host begins anew in its cluster: ${why}`);
    onNextLife(this.#beginNext(), end);
  }

  #beginNext(): ClusterMember {
    this.#before = this.counters;
    const life = this.#create();
    this.#now = life;
    void this.#begin(life).catch((error: unknown) => this.#tryAgain(life, error));
    return life.member;
  }

  /** The life could not begin: the other hosts have other time limits than before. */
  #tryAgain(life: Life, error: unknown): void {
    const { clock, logger, onNextLife } = this.#parts;
    logger?.error("this host can't begin anew in its cluster; it tries again", { error: errorText(error) });
    life.member.abandon();
    clock.setTimer(retryMs, () => {
      if (!this.#isEnding) onNextLife(this.#beginNext(), "dead");
    });
  }
}

function added(one: Readonly<ClusterCounters>, other: Readonly<ClusterCounters>): ClusterCounters {
  const sum = { ...one };
  // Both have the same names.
  for (const name of Object.keys(sum) as (keyof ClusterCounters)[]) sum[name] += other[name];
  return sum;
}

const noLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
