import {
  type Clock,
  defaultLogger,
  guardedLogger,
  type Logger,
  loggableError,
  type MakeId,
  randomId,
  systemClock,
  type Timer,
} from "../core/internal.ts";
import { ClusterClaims } from "./claims/cluster-claims.ts";
import { type HeldClaims, HeldClaimsMap } from "./claims/held-claims.ts";
import { ClusterMeta } from "./cluster-meta.ts";
import { type ClusterTimes, defaultTimes } from "./cluster-times.ts";
import type { CoordinationStore, StoreEntry } from "./coordination-store.ts";
import { ElapsedTime } from "./elapsed-time.ts";
import type { HostDescription } from "./hosts/host-lease.ts";
import { HostLease } from "./hosts/host-lease.ts";
import { KnownHosts } from "./hosts/known-hosts.ts";
import { type ClusterCounters, createClusterCounters, type Life } from "./life.ts";
import { LifeStore } from "./life-store.ts";
import { encodeAnnouncement, encodeMailNews, readAnnouncement, readMailNews } from "./records/announcement.ts";
import type { HostRecord, TypeRecord, WorkerRecord } from "./records/records.ts";
import { prefixes } from "./records/store-keys.ts";
import { ShardOwners, type ShardUse } from "./shards/shard-owners.ts";
import { ClusterTypes } from "./types/cluster-types.ts";
import { UnusedNames } from "./types/unused-names.ts";
import { KnownWorkers } from "./workers/known-workers.ts";
import { WorkerSessions } from "./workers/worker-sessions.ts";

/**
 * The reason why a life is over. `left`: the host has left the cluster. `dead`: other hosts have declared it dead. `store-lost`: the store has
 * forgotten writes, so that nothing that is known counts.
 */
export type LifeEnd = "left" | "dead" | "store-lost";

/** A host that is told of changes in its cluster. Functions are called synchronously and must not throw. */
export interface MemberListener {
  /** This host serves from now on, or it is isolated: it hands nothing to workers. */
  onServing?(isServing: boolean): void;
  /** A host is new, or has another state or address for workers. */
  onHost?(host: HostRecord): void;
  /** A worker has joined, changed its host, or is gone. */
  onWorker?(worker: WorkerRecord): void;
  onType?(type: TypeRecord): void;
  /** A worker begins or ceases to serve a shared type. */
  onServers?(type: string): void;
  /** Another host has left mail or reminders for agents of these shards in the state store. */
  onMail?(shards: readonly number[]): void;
}

/** Options of a `ClusterMember`. */
export interface ClusterMemberOptions {
  /** Not closed by the member: the next life uses it too. */
  readonly store: CoordinationStore;
  readonly host: HostDescription;
  readonly listener?: MemberListener | undefined;
  readonly times?: Partial<ClusterTimes> | undefined;
  /** Returns the newest generation that the state store knows, when the member starts. Default: 0. */
  readonly storedGeneration?: (() => number) | undefined;
  /** Agent types that the cluster may have. Default: 100 000. */
  readonly mostTypes?: number | undefined;
  /** Records of gone workers that are kept. Default: 100 000. */
  readonly mostGone?: number | undefined;
  /** Holds the claims. Default: a map of at most 2 000 000. */
  readonly held?: HeldClaims | undefined;
  /** Reads the shards of the mail that this host owns. Default: it owns none. */
  readonly shards?: ShardUse | undefined;
  readonly clock?: Clock | undefined;
  readonly makeId?: MakeId | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * One life of a host in its cluster. It holds the host's lease, and knows hosts, workers, types and claims. When the life is over, all of
 * that counts for nothing: the host ends its workers' channels and begins another life, under another id.
 */
export class ClusterMember {
  /** Names this life. It is never used again. */
  readonly hostId: string;
  /** Resolves when the life is over. */
  readonly ended: Promise<LifeEnd>;
  readonly hosts: KnownHosts;
  readonly knownWorkers: KnownWorkers;
  readonly workers: WorkerSessions;
  readonly types: ClusterTypes;
  readonly claims: ClusterClaims;
  /** Undefined: this host reads no mail. */
  readonly shards: ShardOwners | undefined;
  readonly #clock: Clock;
  readonly #times: ClusterTimes;
  readonly #store: CoordinationStore;
  readonly #lifeStore: LifeStore;
  readonly #time: ElapsedTime;
  readonly #logger: Logger;
  readonly #listener: MemberListener;
  readonly #meta: ClusterMeta;
  readonly #lease: HostLease;
  readonly #unusedNames: UnusedNames;
  readonly #counters: ClusterCounters = createClusterCounters();
  /** End the pauses of this life. */
  readonly #pauses = new Set<() => void>();
  #tickTimer: Timer | undefined;
  #leaseTimer: Timer | undefined;
  #endListening: () => void = () => undefined;
  #hasForgotten = false;
  #hasStoreFailed = false;
  #isRenewingMeta = false;
  #hasStarted = false;
  #wasServing = false;
  #isLeaving = false;
  #isOver = false;
  #resolveEnded: (end: LifeEnd) => void = () => undefined;

  constructor(options: ClusterMemberOptions) {
    const { store, host, listener = {}, clock = systemClock, makeId = randomId, logger = defaultLogger } = options;
    this.hostId = makeId();
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#clock = clock;
    this.#times = { ...defaultTimes, ...options.times };
    this.#store = store;
    this.#time = new ElapsedTime(clock);
    this.#logger = guardedLogger(logger);
    this.#listener = listener;
    this.#lifeStore = new LifeStore(
      store,
      () => this.#forgotten(),
      (error) => this.#storeFailed(error),
    );
    const life = this.#life(makeId);
    const onCaughtUp = () => this.#look();
    this.#meta = new ClusterMeta({
      life,
      storedGeneration: options.storedGeneration ?? (() => 0),
      wallSeconds: () => Math.floor(clock.wallNow() / 1_000),
      onCaughtUp,
      onNewId: () => this.#end("store-lost"),
    });
    this.#lease = new HostLease({
      life,
      description: host,
      readsMail: options.shards !== undefined,
      onRenewed: () => this.#renewed(),
      onDead: () => this.#end("dead"),
      onForgotten: () => this.#forgotten(),
    });
    this.hosts = new KnownHosts({ life, onCaughtUp, onChange: (record) => this.#hostChanged(record) });
    this.knownWorkers = new KnownWorkers({ life, onCaughtUp, onChange: (record) => this.#workerChanged(record) });
    this.types = new ClusterTypes({
      ...{ life, workers: this.knownWorkers, meta: this.#meta, mostTypes: options.mostTypes, onCaughtUp },
      onChange: (record) => listener.onType?.(record),
      onServers: (type) => listener.onServers?.(type),
    });
    this.workers = new WorkerSessions({
      ...{ life, workers: this.knownWorkers, hosts: this.hosts, mostGone: options.mostGone },
      onOver: (workerId) => this.claims.forgetOf(workerId),
      onPurged: (workerId) => this.types.purge(workerId),
    });
    const { hosts, knownWorkers: workers, types } = this;
    this.#unusedNames = new UnusedNames({ life, hosts, workers, types, meta: this.#meta });
    const { shards: use } = options;
    this.shards = use && new ShardOwners({ life, hosts: this.hosts, use, onCaughtUp });
    this.claims = new ClusterClaims({
      ...{ life, held: options.held ?? new HeldClaimsMap(), workers: this.knownWorkers, types: this.types },
      current: (workerId) => this.workers.current(workerId),
    });
  }

  /** Whether this host may hand anything to workers. Ask again after each wait. */
  get isServing(): boolean {
    const isCaughtUp =
      this.#meta.isCaughtUp && this.hosts.isCaughtUp && this.knownWorkers.isCaughtUp && this.types.isCaughtUp;
    return this.#hasStarted && isCaughtUp && !this.#isOver && !this.#hasForgotten && this.#lease.isHeld;
  }

  /** Milliseconds until this host is isolated; 0: it is. */
  get leaseLeftMs(): number {
    return Math.max(0, this.#lease.endsMs - this.#time.now());
  }

  /** The first part of all epochs. */
  get generation(): number {
    return this.#meta.generation;
  }

  /** Numbers that only grow. */
  get counters(): Readonly<ClusterCounters> {
    return { ...this.#counters };
  }

  /** The time limits of this host. */
  get times(): Readonly<ClusterTimes> {
    return this.#times;
  }

  /** Asks, joins and claims that have no outcome yet. */
  get underWay(): number {
    return this.#lifeStore.underWay + this.workers.underWay + this.types.underWay + this.claims.underWay;
  }

  /** Joins the cluster. Resolves when this host serves, or when the life is over. Rejects with `invalid-argument` if other hosts have other time limits. */
  async start(): Promise<void> {
    this.#endListening = this.#store.onAnnouncement((bytes) => this.#hear(bytes));
    await this.#meta.start();
    await this.#lease.start();
    this.#hasStarted = true;
    this.#tick();
    while (!this.isServing && !this.#isOver) await this.#pause(this.#times.retryMs);
  }

  /**
   * Says where this host is reached, when that is known. Before the start it says nothing to the cluster; later it renews the host's record at
   * once.
   */
  describe(change: Partial<HostDescription>): void {
    this.#lease.describe(change);
  }

  /** Tells the cluster that this host takes no new workers. */
  async drain(): Promise<void> {
    await this.#lease.drain();
  }

  /** Leaves its shards of the mail to other hosts, each when nothing is under way there. Resolves when it has none. */
  async handOverShards(): Promise<void> {
    await this.shards?.leave();
  }

  /**
   * Leaves the cluster. It frees its shards first. The host has ended the channels of its workers, or has sent them to other hosts. It waits
   * until all leases are over, and buries workers that have not joined another host. Then it declares itself dead, so that no host waits.
   */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isLeaving = true;
    await this.shards?.leave();
    this.workers.takeNoMore();
    for (const session of [...this.workers.values()]) void this.workers.end(session, "lost");
    await this.#pause(this.workers.grantedMs);
    await this.workers.buryAll();
    // While it does not serve, others may have had reasons to bury: its record ends by itself.
    if (this.isServing) await this.#lease.giveUp();
    this.#end("left");
  }

  /** Ends the life at once, as a killed process does: the record of this host stays until others declare it dead. */
  abandon(): void {
    this.#end("left");
  }

  #life(makeId: MakeId): Life {
    return {
      hostId: this.hostId,
      store: this.#lifeStore,
      times: this.#times,
      counters: this.#counters,
      makeId,
      now: () => this.#time.now(),
      monotonicNow: () => this.#clock.now(),
      isServing: () => this.isServing,
      leaseLeftMs: () => this.leaseLeftMs,
      generation: () => this.generation,
      isOver: () => this.#isOver,
      announce: (entry) => this.#announce(entry),
      pause: (ms) => this.#pause(ms),
    };
  }

  /** Rule R5: all duties are looked at again each second, whatever has become of them before. */
  #tick(): void {
    if (this.#isOver) return;
    this.#tickTimer = this.#clock.setTimer(this.#times.dutyMs, () => this.#tick());
    this.#lease.renewIfDue();
    this.#look();
    if (this.#hasForgotten) this.#renewMeta();
    if (!this.isServing) return;
    if (this.shards?.isCaughtUp === true) this.shards.look();
    this.hosts.look();
    this.workers.look();
    this.claims.look();
    this.types.look();
    this.#unusedNames.look();
  }

  /** Tells the host whether it serves, and looks again when its lease ends. */
  #look(): void {
    const { isServing } = this;
    if (isServing === this.#wasServing || this.#isOver) return;
    this.#wasServing = isServing;
    if (!isServing) {
      this.shards?.isolated();
      this.#counters.isolations += 1;
      this.#logger.warn(
        "This host has lost touch with its cluster. It hands nothing to workers until it has its lease again.",
      );
    }
    this.#listener.onServing?.(isServing);
  }

  #hostChanged(record: HostRecord): void {
    if (this.#isOver) return;
    if (record.hostId === this.hostId && record.state === "dead") this.#end(this.#isLeaving ? "left" : "dead");
    this.#listener.onHost?.(record);
  }

  #workerChanged(record: WorkerRecord): void {
    if (this.#isOver) return;
    this.workers.changed(record);
    this.#listener.onWorker?.(record);
  }

  #forgotten(): void {
    if (this.#hasForgotten) return;
    this.#hasForgotten = true;
    this.#counters.storeRegressions += 1;
    this.#logger.error("The coordination store has forgotten writes that it had acknowledged. This host begins anew.");
    this.#look();
    this.#renewMeta();
  }

  /** Says it once in a life: a store that fails may do so each second. */
  #storeFailed(error: unknown): void {
    if (this.#hasStoreFailed) return;
    this.#hasStoreFailed = true;
    const text = "The coordination store has failed. What it is asked counts as not answered.";
    this.#logger.error(text, { error: loggableError(error) });
  }

  #renewMeta(): void {
    if (this.#isRenewingMeta) return;
    this.#isRenewingMeta = true;
    void this.#meta.renew().then(() => {
      this.#isRenewingMeta = false;
    });
  }

  /** Tells the other hosts that there is mail, or that there are reminders, for agents of these shards. They may not hear of it. */
  tellMail(shards: readonly number[]): void {
    if (!this.#isOver) this.#store.announce(encodeMailNews(shards));
  }

  #announce(entry: StoreEntry): void {
    const bytes = this.#isOver ? undefined : encodeAnnouncement({ entry, generation: this.generation });
    if (bytes !== undefined) this.#store.announce(bytes);
  }

  #hear(bytes: Uint8Array): void {
    const shards = readMailNews(bytes);
    if (shards !== undefined) this.#listener.onMail?.(shards);
    const { entry, generation } = readAnnouncement(bytes) ?? {};
    // One that comes late may tell of what the store has forgotten since. The watch tells what is there.
    if (entry === undefined || generation !== this.generation) return;
    if (entry.key.startsWith(prefixes.host)) this.hosts.hear(entry);
    if (entry.key.startsWith(prefixes.worker)) this.knownWorkers.hear(entry);
  }

  #renewed(): void {
    this.#look();
    this.#leaseTimer?.cancel();
    this.#leaseTimer = this.#clock.setTimer(this.leaseLeftMs + 1, () => this.#look());
  }

  #end(end: LifeEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#lease.end();
    this.#lifeStore.end();
    this.#endListening();
    this.#meta.end();
    this.hosts.end();
    this.knownWorkers.end();
    this.types.end();
    this.shards?.end();
    this.#tickTimer?.cancel();
    this.#leaseTimer?.cancel();
    this.workers.close();
    for (const endPause of this.#pauses) endPause();
    this.#pauses.clear();
    if (this.#wasServing) this.#listener.onServing?.(false);
    this.#resolveEnded(end);
  }

  #pause(ms: number): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(ms, () => {
        this.#pauses.delete(end);
        resolve();
      });
      const end = () => {
        timer.cancel();
        resolve();
      };
      this.#pauses.add(end);
    });
  }
}
