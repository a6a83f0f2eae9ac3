import type { Epoch } from "../../core/internal.ts";
import type { ClusterMeta } from "../cluster-meta.ts";
import type { StoreEntry } from "../coordination-store.ts";
import type { Life } from "../life.ts";
import { type Known, KnownRecords } from "../records/known-records.ts";
import { RecordPurges } from "../records/record-purges.ts";
import { encodeRecord } from "../records/record-text.ts";
import { type ServeRecord, serveIn, type TypeRecord, typeIn, type WorkerRecord } from "../records/records.ts";
import { prefixes, serveKey, typeKey } from "../records/store-keys.ts";
import type { KnownWorkers } from "../workers/known-workers.ts";
import { TurnByName } from "../workers/turn-by-name.ts";
import type { WorkerSession } from "../workers/worker-session.ts";
import { NameShares } from "./name-shares.ts";
import { ServesOfGone } from "./serves-of-gone.ts";

/**
 * The outcome of a registration. `taken`: a live worker owns the type, or it is shared and was to be exclusive, or the other way round.
 * `full`: the cluster has 100 000 types. `share-full`: the worker's address has two thirds of those that others leave. `unavailable`: the store did not answer in time, or the session is over.
 */
export type TypeOutcome =
  | { readonly at: "registered"; readonly record: TypeRecord }
  | { readonly at: "taken"; readonly record: TypeRecord }
  | { readonly at: "full" | "share-full" | "unavailable" };

/** The worker that has the agents of an exclusive type, and their epoch. */
export interface ExclusivePlace {
  /** Undefined: the type is free. */
  readonly workerId: string | undefined;
  readonly epoch: Epoch;
}

/** Types that a cluster may have. The record of one that no worker serves is kept for a day. */
const mostTypes = 100_000;

/** Times that a registration begins again after it has lost a race. */
const mostTries = 8;

/** The era that a new record has, and the least generation. */
type Base = Pick<Epoch, "era" | "generation">;

/** Options of `ClusterTypes`. */
export interface ClusterTypesOptions {
  readonly life: Life;
  readonly workers: KnownWorkers;
  readonly meta: Pick<ClusterMeta, "freshBase">;
  /** Types that the cluster may have. Default: 100 000. */
  readonly mostTypes?: number | undefined;
  readonly onCaughtUp: () => void;
  /** Called when the owner of a type, or whether it is shared, has changed. */
  readonly onChange: (record: TypeRecord) => void;
  /** Called when a worker begins or ceases to serve a shared type. */
  readonly onServers: (type: string) => void;
}

/** Which workers serve which agent types. */
export class ClusterTypes {
  readonly #life: Life;
  readonly #workers: KnownWorkers;
  readonly #meta: Pick<ClusterMeta, "freshBase">;
  readonly #types: KnownRecords<TypeRecord>;
  readonly #serves: KnownRecords<ServeRecord>;
  /** Workers by the shared types that they serve, and the types by worker. */
  readonly #servers = new Map<string, Set<string>>();
  readonly #served = new Map<string, Set<string>>();
  readonly #turns = new TurnByName();
  readonly #shares: NameShares;
  readonly #purges: RecordPurges<ServeRecord>;
  readonly #servesOfGone: ServesOfGone;

  constructor(options: ClusterTypesOptions) {
    const { life, workers, meta, mostTypes: most = mostTypes, onCaughtUp, onChange, onServers } = options;
    this.#life = life;
    this.#workers = workers;
    this.#meta = meta;
    this.#shares = new NameShares(most);
    const now = () => life.monotonicNow();
    this.#types = new KnownRecords({
      read: typeIn,
      now,
      onChange: ({ record }, before) => {
        this.#shares.note(record, before?.record);
        onChange(record);
      },
    });
    this.#serves = new KnownRecords({
      read: serveIn,
      now,
      onChange: ({ record }) => {
        this.#noteServer(record);
        onServers(record.type);
      },
    });
    this.#purges = new RecordPurges({
      life,
      onGone: (known, found) => {
        if (this.#serves.get(known.key) === known) this.#removeServer(known.record);
        this.#serves.replace(known, found);
      },
    });
    this.#servesOfGone = new ServesOfGone({
      ...{ life, workers, serves: this.#serves },
      onFound: (known) => this.#purges.begin(known),
    });
    this.#types.watch(life.store, prefixes.type, onCaughtUp);
    this.#serves.watch(life.store, prefixes.serve, onCaughtUp);
  }

  get isCaughtUp(): boolean {
    return this.#types.isCaughtUp && this.#serves.isCaughtUp;
  }

  /** The number of types that are known here. */
  get size(): number {
    return this.#types.size;
  }

  /** Registrations under way. */
  get underWay(): number {
    return this.#turns.size;
  }

  /** A type's record as it is known here. */
  get(type: string): TypeRecord | undefined {
    return this.#types.get(typeKey(type))?.record;
  }

  /** The records of all types, as they are known here. */
  known(): Iterable<Known<TypeRecord>> {
    return this.#types.values();
  }

  /** Learns what this host has written. */
  learn(entry: StoreEntry): void {
    this.#types.learn(entry);
  }

  /** Forgets a record that is not in the store, if it is still known as it was. */
  forget({ key, record, revision }: Known<TypeRecord>): void {
    if (this.#types.get(key)?.revision !== revision) return;
    this.#types.forget(key);
    this.#shares.note(undefined, record);
  }

  /** The worker that owns an exclusive type, unless it is gone, and the epoch of all its agents. */
  ownerOf(type: string): { readonly workerId: string; readonly epoch: Epoch } | undefined {
    const known = this.#types.get(typeKey(type));
    if (known?.record.mode !== "exclusive" || !this.#workers.isHere(known.record.workerId)) return undefined;
    const { workerId, generation, era } = known.record;
    return { workerId, epoch: { generation, era, number: known.revision } };
  }

  /**
   * The epoch of all agents of an exclusive type, and the worker that has registered it. Of a free type the epoch is newer than that of any
   * owner before. Undefined: the type is shared, or not known here.
   */
  exclusive(type: string): ExclusivePlace | undefined {
    const known = this.#types.get(typeKey(type));
    if (known === undefined || known.record.mode === "shared") return undefined;
    const { record, revision: number } = known;
    const { era, generation = this.#life.generation() } = record;
    return { workerId: record.mode === "free" ? undefined : record.workerId, epoch: { generation, era, number } };
  }

  /** Whether a worker serves a shared type, as far as is known here. */
  isServer(type: string, workerId: string): boolean {
    return this.#servers.get(type)?.has(workerId) === true;
  }

  /** Asks the store who serves a type. `get` and `ownerOf` know its answer afterwards, unless it gave none in time. */
  async refresh(type: string): Promise<void> {
    const found = await this.#life.store.readFresh(typeKey(type));
    if (found === undefined || found === "unknown") return;
    this.#types.learn(found);
    const record = this.get(type);
    // Its owner may have joined a moment ago, and not be known here.
    if (record?.mode === "exclusive") await this.#workers.isGone(record.workerId);
  }

  /** Live workers that serve a shared type, as far as is known here. */
  serversOf(type: string): WorkerRecord[] {
    const servers: WorkerRecord[] = [];
    for (const workerId of this.#servers.get(type) ?? []) {
      const record = this.#workers.get(workerId)?.record;
      if (record?.state === "here") servers.push(record);
    }
    return servers;
  }

  /** Makes a worker the owner of a type, unless another live worker owns it or the type is shared. */
  registerExclusive(type: string, session: WorkerSession): Promise<TypeOutcome> {
    const { workerId, record } = session;
    return this.#change(type, session, async (found, base) => {
      if (found?.mode === "shared") return "taken";
      if (found?.mode === "exclusive") {
        if (found.workerId === workerId) return "as it is";
        const isGone = await this.#workers.isGone(found.workerId);
        if (isGone !== true) return isGone === false ? "taken" : "unavailable";
      }
      const before = found?.mode === "exclusive" || found?.mode === "free" ? found.generation : undefined;
      const generation = Math.max(this.#life.generation(), base.generation, before ?? 0);
      return { mode: "exclusive", type, workerId, principal: record.principal, generation, era: base.era };
    });
  }

  /**
   * Makes a worker one of those that serve a shared type. `terms`: the terms of the type's first registration, as the host encodes them. A
   * type that is shared stays so without workers, until its name is free. No watch promises a host to know at once that no worker serves it any
   * more. A claim of such a worker would then be used beside the exclusive owner.
   */
  async registerShared(type: string, session: WorkerSession, terms: string): Promise<TypeOutcome> {
    const outcome = await this.#change(type, session, async (found, base) => {
      if (found?.mode === "shared") return "as it is";
      if (found?.mode === "exclusive") {
        const isGone = await this.#workers.isGone(found.workerId);
        if (isGone !== true) return isGone === false ? "taken" : "unavailable";
      }
      return { mode: "shared", type, terms, era: base.era + 1 };
    });
    if (outcome.at !== "registered") return outcome;
    return (await this.#serve(type, session, false)) ? outcome : { at: "unavailable" };
  }

  /** Ends what a worker has registered for a type, while it lives on. Resolves to whether that is written. */
  async unregister(type: string, session: WorkerSession): Promise<boolean> {
    if (this.get(type)?.mode === "shared") return this.#serve(type, session, true);
    const outcome = await this.#change(type, session, async (found) => {
      if (found?.mode !== "exclusive" || found.workerId !== session.workerId) return "as it is";
      return { mode: "free", type, era: found.era, generation: found.generation };
    });
    return outcome.at === "registered";
  }

  /** Begins to purge what a gone worker served. `look` finds what is left when the record of the worker is purged. */
  purge(workerId: string): void {
    for (const type of this.#served.get(workerId) ?? []) {
      const known = this.#serves.get(serveKey(type, workerId));
      if (known !== undefined) this.#purges.begin(known);
    }
  }

  /** Looks for what gone workers have left. Called each second while this host serves (rule R5). */
  look(): void {
    this.#servesOfGone.look();
  }

  end(): void {
    this.#types.end();
    this.#serves.end();
  }

  /** Reads a type's record, decides, and writes: again when another host was first. */
  #change(
    type: string,
    session: WorkerSession,
    decide: (found: TypeRecord | undefined, base: Base) => Promise<TypeRecord | "as it is" | "taken" | "unavailable">,
  ): Promise<TypeOutcome> {
    return this.#turns.run(type, async () => {
      const key = typeKey(type);
      for (let tries = 0; tries < mostTries; tries += 1) {
        // What is known may be old, and a read that does not show a lost write proves nothing. Each try reads, then writes (rule R3).
        const found = await this.#life.store.readFresh(key);
        if (found === "unknown" || !session.isCurrent) return { at: "unavailable" };
        if (found !== undefined) this.#types.learn(found);
        const record = found && typeIn(found);
        // After the read that did not find it: another host raises the base before it purges a record.
        const base = found === undefined ? await this.#meta.freshBase() : { era: record?.era ?? 0, generation: 0 };
        if (base === "unknown") return { at: "unavailable" };
        const decided = await decide(record, base);
        // The host that has marked the type (`isUnserved`) must lose the race for its record.
        const isMarked = decided === "as it is" && record?.isUnserved === true;
        const next = isMarked ? withoutMark(record) : decided;
        if (!session.isCurrent || next === "unavailable") return { at: "unavailable" };
        if (next === "taken" && record !== undefined) return { at: "taken", record };
        if (typeof next === "string") return { at: "registered", record: record ?? { mode: "free", type, era: 0 } };
        const isNew = found === undefined || record?.isRetired === true;
        const whyNot = isNew ? this.#shares.whyNot(session.party) : undefined;
        if (whyNot !== undefined) return { at: whyNot === "full" ? "full" : "share-full" };
        const written = { ...next, addedBy: isNew ? session.party : record?.addedBy };
        const value = encodeRecord(written);
        const outcome = await this.#life.store.write(key, value, found?.revision ?? 0);
        if (outcome.at === "unknown") await this.#life.pause(this.#life.times.retryMs);
        if (outcome.at !== "written") continue;
        this.#types.learn({ key, value, revision: outcome.revision });
        return { at: "registered", record: written };
      }
      return { at: "unavailable" };
    });
  }

  /** Writes whether a worker serves a shared type. */
  #serve(type: string, session: WorkerSession, isEnded: boolean): Promise<boolean> {
    const { workerId } = session;
    const key = serveKey(type, workerId);
    const value = encodeRecord({ type, workerId, isEnded });
    return this.#turns.run(key, async () => {
      for (let tries = 0; tries < mostTries && session.isCurrent; tries += 1) {
        const known = this.#serves.get(key);
        if (known?.record.isEnded === isEnded) return true;
        const outcome = await this.#life.store.write(key, value, known?.revision ?? 0);
        if (outcome.at === "written") this.#serves.learn({ key, value, revision: outcome.revision });
        if (outcome.at === "conflict" && outcome.found !== undefined) this.#serves.learn(outcome.found);
        if (outcome.at === "conflict" && outcome.found === undefined) this.#serves.forget(key);
        if (outcome.at === "unknown") await this.#life.pause(this.#life.times.retryMs);
      }
      return false;
    });
  }

  #noteServer({ type, workerId, isEnded }: ServeRecord): void {
    // A record that says so is a record, too: it is purged with its worker.
    addTo(this.#served, workerId, type);
    if (isEnded) removeFrom(this.#servers, type, workerId);
    else addTo(this.#servers, type, workerId);
  }

  #removeServer({ type, workerId }: ServeRecord): void {
    removeFrom(this.#servers, type, workerId);
    removeFrom(this.#served, workerId, type);
  }
}

function withoutMark(record: TypeRecord): TypeRecord {
  const { isUnserved: _, ...others } = record;
  return others;
}

function addTo(sets: Map<string, Set<string>>, name: string, item: string): void {
  const set = sets.get(name);
  if (set === undefined) sets.set(name, new Set([item]));
  else set.add(item);
}

function removeFrom(sets: Map<string, Set<string>>, name: string, item: string): void {
  const set = sets.get(name);
  if (set?.delete(item) === true && set.size === 0) sets.delete(name);
}
