import { TroupeError } from "../../core/internal.ts";
import { othersShare } from "../cluster-times.ts";
import type { KnownHosts } from "../hosts/known-hosts.ts";
import { preferred } from "../hosts/preferred.ts";
import type { Life } from "../life.ts";
import type { Known } from "../records/known-records.ts";
import { encodeRecord } from "../records/record-text.ts";
import { encodeGoneWorker, type WorkerRecord, workerIn } from "../records/records.ts";
import { workerKey } from "../records/store-keys.ts";
import type { KnownWorkers } from "./known-workers.ts";
import { TurnByName } from "./turn-by-name.ts";
import { type SessionEnd, WorkerSession } from "./worker-session.ts";

/** A worker that opens a connection. */
export type JoiningWorker = Omit<WorkerRecord, "state" | "hostId">;

/** A stock worker that opens a connection: it has no worker id and counts no connections. */
export type JoiningStockWorker = Omit<JoiningWorker, "workerId" | "session" | "kind">;

/** Options of a join. */
export interface JoinOptions {
  /** The connection has ended meanwhile. */
  readonly signal: AbortSignal;
  /** The address of the worker, without the port. Default: empty. */
  readonly party?: string | undefined;
  /** Called once when the session is over. */
  readonly onOver: (end: SessionEnd) => void;
}

/**
 * The outcome of a join. `void`: the worker is gone; it forgets its agents and joins under a new id. `replaced`: it has a newer connection.
 * `denied`: the id belongs to another principal. `unavailable`: the store did not answer in time, or this host does not serve.
 */
export type JoinOutcome =
  | { readonly at: "joined"; readonly session: WorkerSession }
  | { readonly at: "void" | "replaced" | "denied" | "unavailable" };

/** Bytes of the largest record of a worker. */
const mostRecordBytes = 8 * 1_024;

/** Records of gone workers that are kept. Beyond that the oldest are purged early. */
const mostGone = 100_000;

/** Records that are purged each second. */
const mostPurges = 1_024;

/** Records that this host writes at the same time while it looks at its duties, and as many again whose time is over before that. */
const mostBurials = 256;

/** When a worker is buried that does not come back. */
interface Burial {
  /** The session that has ended. A later one, that never began, has a burial of its own. */
  readonly session: number;
  readonly dueMs: number;
}

/** Options of `WorkerSessions`. */
export interface WorkerSessionsOptions {
  readonly life: Life;
  readonly workers: KnownWorkers;
  readonly hosts: KnownHosts;
  /** Records of gone workers that are kept. Default: 100 000. */
  readonly mostGone?: number | undefined;
  /** Called when a session of a worker is over. */
  readonly onOver: (workerId: string) => void;
  /** Purges what belongs to a gone worker. */
  readonly onPurged: (workerId: string) => void;
}

/** The workers that this host serves: how they join, and how they are buried. Buried workers are gone: no host serves them again. */
export class WorkerSessions {
  readonly #options: WorkerSessionsOptions;
  readonly #life: Life;
  readonly #workers: KnownWorkers;
  readonly #sessions = new Map<string, WorkerSession>();
  /** Workers whose records say that they are here, without a session. */
  readonly #burials = new Map<string, Burial>();
  /** Workers whose burial has a timer of its own. */
  #awaited = 0;
  /** When this host learnt that the worker's host is dead. */
  readonly #orphanedMs = new Map<string, number>();
  #takesWorkers = true;
  /** Rule R4: one write at a time to a worker's record, so that a join and a burial never cross. */
  readonly #turns = new TurnByName();
  readonly #stockTurns = new TurnByName();

  constructor(options: WorkerSessionsOptions) {
    this.#options = options;
    this.#life = options.life;
    this.#workers = options.workers;
  }

  /** The current session of a worker that this host serves. */
  current(workerId: string): WorkerSession | undefined {
    const session = this.#sessions.get(workerId);
    return session?.isCurrent === true ? session : undefined;
  }

  values(): Iterable<WorkerSession> {
    return this.#sessions.values();
  }

  /** Joins and burials under way. */
  get underWay(): number {
    return this.#turns.size + this.#stockTurns.size;
  }

  /** Joins a worker. Its connection may be used when it has joined. Throws `invalid-argument` if its texts are too long for a record. */
  join(worker: JoiningWorker, options: JoinOptions): Promise<JoinOutcome> {
    const record: WorkerRecord = { ...worker, state: "here", hostId: this.#life.hostId };
    if (encodeRecord(record).byteLength > mostRecordBytes) {
      const text = `Name, version and labels of worker ${worker.clientId} take more than ${mostRecordBytes} bytes. Make them shorter.`;
      return Promise.reject(new TroupeError("invalid-argument", text));
    }
    if (!this.#takesWorkers) return Promise.resolve({ at: "unavailable" });
    return this.#turns.run(worker.workerId, () => this.#join(record, options));
  }

  /** Joins a stock worker. One with the client id of another takes its place: it may be the same that came back. */
  joinStock(worker: JoiningStockWorker, options: JoinOptions): Promise<JoinOutcome> {
    // Two connections with one client id are one worker.
    return this.#stockTurns.run(worker.clientId, () => this.#joinStock(worker, options));
  }

  async #joinStock(worker: JoiningStockWorker, options: JoinOptions): Promise<JoinOutcome> {
    for (let tries = 0; tries < 4; tries += 1) {
      const workerId = this.#workers.stockWorkerOf(worker.clientId) ?? this.#life.makeId();
      const session = (this.#workers.get(workerId)?.record.session ?? 0) + 1;
      const outcome = await this.join({ ...worker, workerId, session, kind: "stock" }, options);
      if (outcome.at === "void" || outcome.at === "replaced") continue;
      return outcome;
    }
    return { at: "unavailable" };
  }

  /**
   * Ends a session whose channel is gone. `left`: the worker has stopped, or it is a stock worker, which never comes back. It is buried at
   * once. `lost`: it has time to join another host. Resolves when a worker that has left is buried, or could not be buried now.
   */
  async end(session: WorkerSession, how: "left" | "lost"): Promise<void> {
    session.over("ended");
    if (this.#sessions.get(session.workerId) !== session) return;
    this.#sessions.delete(session.workerId);
    const graceMs = how === "left" ? 0 : Math.max(this.#life.times.rejoinGraceMs * othersShare, session.grantedMs);
    this.#burials.set(session.workerId, { session: session.number, dueMs: this.#life.monotonicNow() + graceMs });
    if (how === "left") await this.#bury(session.workerId);
    else void this.#buryWhenDue(session.workerId, graceMs);
  }

  /** A record has changed: sessions here may be over by it. */
  changed(record: WorkerRecord): void {
    // It has joined another host: this one need not wait for it.
    if (record.hostId !== this.#life.hostId) this.#burials.delete(record.workerId);
    if (record.state === "gone") this.#orphanedMs.delete(record.workerId);
    const session = this.#sessions.get(record.workerId);
    if (session === undefined) return;
    if (record.state === "gone") this.#over(session, "void");
    else if (record.session > session.number) this.#over(session, "elsewhere");
  }

  /** Looks at all records. Called each second while this host serves (rule R5). */
  look(): void {
    this.#workers.look();
    let burials = 0;
    const gone: Known<WorkerRecord>[] = [];
    for (const known of this.#workers.values()) {
      const { record } = known;
      if (record.state === "gone") gone.push(known);
      else if (burials < mostBurials && this.#mustBury(record)) {
        burials += 1;
        void this.#bury(record.workerId);
      }
    }
    this.#purgeOld(gone);
  }

  /** Purges the records of workers that are gone for long. Of too many the oldest go: a worker that is gone a moment ago may try to join again. */
  #purgeOld(gone: readonly Known<WorkerRecord>[]): void {
    const oldestMs = this.#life.monotonicNow() - this.#life.times.recordsKeptMs;
    const old = gone.filter(({ learntMs }) => learntMs < oldestMs);
    const tooMany = gone.length - old.length - (this.#options.mostGone ?? mostGone);
    if (tooMany > 0) {
      const kept = gone.filter(({ learntMs }) => learntMs >= oldestMs);
      old.push(...kept.sort((one, other) => one.revision - other.revision).slice(0, tooMany));
    }
    for (const known of old.slice(0, mostPurges)) this.#purge(known);
  }

  /** Milliseconds until all leases that this host has granted are over. */
  get grantedMs(): number {
    let mostMs = 0;
    for (const session of this.#sessions.values()) mostMs = Math.max(mostMs, session.grantedMs);
    for (const { dueMs } of this.#burials.values()) mostMs = Math.max(mostMs, dueMs - this.#life.monotonicNow());
    return mostMs;
  }

  /** Joins no worker from now on. */
  takeNoMore(): void {
    this.#takesWorkers = false;
  }

  /** Buries all workers whose records name this host. Only when all leases are over. */
  async buryAll(): Promise<void> {
    for (const session of [...this.#sessions.values()]) void this.end(session, "left");
    const ownIds: string[] = [];
    for (const { record } of this.#workers.values()) {
      if (record.state === "here" && record.hostId === this.#life.hostId) ownIds.push(record.workerId);
    }
    await Promise.all(ownIds.map((workerId) => this.#bury(workerId)));
  }

  /** Ends all sessions, because the life is over. */
  close(): void {
    for (const session of [...this.#sessions.values()]) this.#over(session, "life-over");
    this.#burials.clear();
    this.#orphanedMs.clear();
  }

  async #join(record: WorkerRecord, options: JoinOptions): Promise<JoinOutcome> {
    const { signal } = options;
    const key = workerKey(record.workerId);
    const value = encodeRecord(record);
    const endMs = this.#life.monotonicNow() + this.#life.times.joinTimeoutMs;
    let hasWritten = false;
    while (this.#life.monotonicNow() < endMs) {
      // Rule R2: this host may have lost its lease, or the worker its connection, in each wait.
      if (signal.aborted || !this.#life.isServing()) return { at: "unavailable" };
      const found = await this.#life.store.readFresh(key);
      if (found === "unknown") {
        await this.#life.pause(this.#life.times.retryMs);
        continue;
      }
      if (found !== undefined) this.#workers.learn(found);
      const before = found && workerIn(found);
      const refusal = whyRefused(record, before);
      if (refusal === "replaced" && hasWritten && isSameJoin(record, before))
        return this.#joined(record, before, options);
      if (refusal !== undefined) return { at: refusal };
      if (signal.aborted || !this.#life.isServing()) return { at: "unavailable" };
      hasWritten = true;
      const outcome = await this.#life.store.write(key, value, found?.revision ?? 0);
      // After `unknown` a read that shows this join is the proof; one that does not proves nothing, and it is written again (rule R3).
      if (outcome.at !== "written") continue;
      const entry = { key, value, revision: outcome.revision };
      this.#workers.learn(entry);
      this.#life.announce(entry);
      return this.#joined(record, before, options);
    }
    return { at: "unavailable" };
  }

  #joined(
    record: WorkerRecord,
    before: WorkerRecord | undefined,
    { signal, party = "", onOver }: JoinOptions,
  ): JoinOutcome {
    const { workerId } = record;
    const earlier = this.#sessions.get(workerId);
    if (earlier !== undefined) this.#over(earlier, "elsewhere");
    const known = this.#workers.get(workerId)?.record;
    // Another host may have joined the worker since. Without its connection it is buried in time (rule R5).
    if (known !== undefined && !isSameJoin(record, known)) return { at: "replaced" };
    if (signal.aborted || !this.#life.isServing()) return { at: "unavailable" };
    this.#burials.delete(workerId);
    this.#life.counters.joins += 1;
    if (before !== undefined) this.#life.counters.rejoins += 1;
    const session = new WorkerSession({
      life: this.#life,
      record,
      party,
      onOver: (end) => {
        this.#options.onOver(workerId);
        onOver(end);
      },
    });
    this.#sessions.set(workerId, session);
    return { at: "joined", session };
  }

  #over(session: WorkerSession, end: SessionEnd): void {
    if (this.#sessions.get(session.workerId) === session) this.#sessions.delete(session.workerId);
    session.over(end);
  }

  #mustBury(record: WorkerRecord): boolean {
    const { workerId, hostId } = record;
    if (this.#turns.has(workerId)) return false;
    if (hostId !== this.#life.hostId) {
      this.#burials.delete(workerId);
      return this.#mustUndertake(record);
    }
    if (this.#sessions.has(workerId)) return false;
    const now = this.#life.monotonicNow();
    if (this.#burials.get(workerId)?.session !== record.session) {
      // A join whose answer was lost, or whose connection ended meanwhile.
      const dueMs = now + this.#life.times.orphanGraceMs * othersShare;
      this.#burials.set(workerId, { session: record.session, dueMs });
    }
    return this.#isDue(record);
  }

  /** Whether this host buries a worker of a dead host: at once if it is the preferred one, else after the others had time. */
  #mustUndertake({ workerId, hostId }: WorkerRecord): boolean {
    const { hosts } = this.#options;
    const state = hosts.get(hostId)?.state;
    if (state !== undefined && state !== "dead") {
      this.#orphanedMs.delete(workerId);
      return false;
    }
    const now = this.#life.monotonicNow();
    const sinceMs = this.#orphanedMs.get(workerId);
    if (sinceMs === undefined) this.#orphanedMs.set(workerId, now);
    const living = hosts.living().map((host) => host.hostId);
    const waitsMs =
      preferred(living, `${hostId}/${workerId}`) === this.#life.hostId ? 0 : this.#life.times.undertakerDelayMs;
    return now - (sinceMs ?? now) >= waitsMs;
  }

  /** Buries a worker as soon as it may, so that its agents do not wait for the next look. That one buries those that are left (rule R5). */
  async #buryWhenDue(workerId: string, graceMs: number): Promise<void> {
    if (this.#awaited >= mostBurials) return;
    this.#awaited += 1;
    await this.#life.pause(graceMs + 1);
    this.#awaited -= 1;
    const record = this.#workers.get(workerId)?.record;
    if (record?.hostId === this.#life.hostId && this.#isDue(record)) await this.#bury(workerId);
  }

  #bury(workerId: string): Promise<void> {
    return this.#turns.run(workerId, () => this.#buryNow(workerId));
  }

  async #buryNow(workerId: string): Promise<void> {
    const known = this.#workers.get(workerId);
    if (known === undefined || known.record.state !== "here" || !(await this.#mayBury(known.record))) return;
    // Rule R2: it may have joined again while the store was asked.
    if (!this.#life.isServing() || this.#workers.get(workerId) !== known || this.#sessions.has(workerId)) return;
    const value = encodeGoneWorker(known.record);
    const outcome = await this.#life.store.write(known.key, value, known.revision);
    const isVanished = outcome.at === "conflict" && outcome.found === undefined;
    if (outcome.at === "written" || isVanished) {
      this.#burials.delete(workerId);
      this.#orphanedMs.delete(workerId);
    }
    if (isVanished && this.#workers.get(workerId) === known) this.#workers.vanished(known);
    if (outcome.at === "written") {
      this.#life.counters.burials += 1;
      const entry = { key: known.key, value, revision: outcome.revision };
      this.#workers.learn(entry);
      this.#life.announce(entry);
    } else if (outcome.at === "conflict" && outcome.found !== undefined) {
      this.#workers.learn(outcome.found);
    }
  }

  async #mayBury(record: WorkerRecord): Promise<boolean> {
    if (record.hostId !== this.#life.hostId) return (await this.#options.hosts.isDead(record.hostId)) === true;
    return !this.#sessions.has(record.workerId) && this.#isDue(record);
  }

  #isDue({ workerId, session }: WorkerRecord): boolean {
    const burial = this.#burials.get(workerId);
    return burial?.session === session && this.#life.monotonicNow() >= burial.dueMs;
  }

  #purge(known: Known<WorkerRecord>): void {
    this.#workers.purge(known);
    this.#orphanedMs.delete(known.record.workerId);
    this.#options.onPurged(known.record.workerId);
  }
}

function whyRefused(
  record: WorkerRecord,
  before: WorkerRecord | undefined,
): "void" | "replaced" | "denied" | undefined {
  // The record of a worker that was gone has been purged: only a new worker has no record.
  if (before === undefined) return record.session === 1 ? undefined : "void";
  if (before.state === "gone") return "void";
  if (before.principal !== record.principal) return "denied";
  return before.session >= record.session ? "replaced" : undefined;
}

function isSameJoin(record: WorkerRecord, found: WorkerRecord | undefined): boolean {
  return found?.state === "here" && found.hostId === record.hostId && found.session === record.session;
}
