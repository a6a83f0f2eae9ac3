import { errorText, followAbort, UndeliverableException, unfollowAbort } from "../../core/internal.ts";
import type { LeavingFrame } from "../../protocol/internal.ts";
import { type ConnectionEnd, reasonOf } from "./connection-end.ts";
import { ConnectionHandover } from "./connection-handover.ts";
import {
  type ConnectionState,
  endBackground,
  type Found,
  isHeldIn,
  isSameStatus,
  type LeavingHost,
  outboxOf,
  pendingOf,
  type Search,
  statusOf,
} from "./connection-state.ts";
import type { HostConnection } from "./host-connection.ts";
import type { ConnectionServices } from "./host-connection-options.ts";
import { HostSearch, startCancelled, stopped } from "./host-search.ts";
import type { ConnectionSupervisorOptions, UsedConnection } from "./supervisor-options.ts";
import { atMost } from "./time-limits.ts";

/** Milliseconds after the grace of a leaving host; then the worker leaves a host that has not ended its channel. */
const overdueMs = 1_000;
/** Longest grace of a leaving host that the worker believes. A host that says more would keep the worker away for days. */
const longestGraceMs = 60_000;

/**
 * The same where the worker goes to another host of a cluster at once. The host may have many workers, and stay: this worker ends its channel when
 * it has finished there what it has.
 */
const longestMoveGraceMs = 3_600_000;
/** Longest time in which a worker goes to another host in order. After it, the worker goes as it is. */
const longestMoveMs = 2_000;
/** Least milliseconds that a leaving host has to read what this worker has sent. */
const leastReadMs = 100;

/** Owns the state of a worker towards its host and all its connections. It begins the search for the next connection. */
export class ConnectionSupervisor<Services extends ConnectionServices> {
  readonly #options: ConnectionSupervisorOptions<Services>;
  /** All open connections: the current one, and those that the worker leaves. */
  readonly #connections = new Set<HostConnection<Services>>();
  /** Connections whose hosts have announced that they leave. */
  readonly #leavingHosts = new WeakSet<HostConnection>();
  /** The connection that the worker leaves for one to another host, while it has none there. */
  #movesFrom: HostConnection<Services> | undefined;
  #state: ConnectionState<Services> = { at: "idle" };
  readonly #onOutOfReach = new Set<() => void>();
  readonly #search: HostSearch<Services>;
  readonly #handover: ConnectionHandover<Services>;

  constructor(options: ConnectionSupervisorOptions<Services>) {
    this.#options = options;
    const access = {
      state: () => this.#state,
      become: (state: ConnectionState<Services>) => this.#become(state),
      watch: (connection: HostConnection<Services>) => this.#watch(connection),
    };
    this.#search = new HostSearch({
      ...{ ...options, ...access },
      onFound: (found, search) => this.#onFound(found, search),
      onFailed: (search, error) => this.#giveUp(search, error),
    });
    this.#handover = new ConnectionHandover({
      ...{ ...options, ...access },
      onAccepted: (connection) => this.onAccepted(connection),
    });
  }

  get state(): ConnectionState<Services> {
    return this.#state;
  }

  /** The current connection, registered or not. */
  get current(): HostConnection<Services> | undefined {
    return "connection" in this.#state ? this.#state.connection : undefined;
  }

  /** The current connection. While the worker goes from one host to another, that to the first one as long as it is open. */
  get present(): HostConnection<Services> | undefined {
    return this.current ?? (this.#movesFrom?.isOpen === true ? this.#movesFrom : undefined);
  }

  /**
   * Resolves when a host has accepted the worker. Rejects with the last failure, or with `CancelledError` when the signal
   * aborts.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw startCancelled(signal);
    const search = this.#search.begin({ kind: "start", reason: "" });
    const onAbort = () => search.abort.abort(startCancelled(signal));
    followAbort(signal, onAbort);
    try {
      await search.found;
    } finally {
      unfollowAbort(signal, onAbort);
    }
  }

  /**
   * Resolves to the connection that registers, as soon as there is one. The worker does not leave it before `release` is called.
   * Rejects with `UndeliverableException` when none comes within the time.
   */
  async registrar(timeoutMs: number): Promise<UsedConnection<Services>> {
    const { clock } = this.#options.settings;
    const endMs = clock.now() + timeoutMs;
    // One renewal or handover may follow another.
    for (let last: unknown, pending = pendingOf(this.#state); pending !== undefined && pending !== last; ) {
      await atMost(pending, endMs - clock.now(), clock);
      if (clock.now() >= endMs) break;
      last = pending;
      pending = pendingOf(this.#state);
    }
    const now = this.#state;
    if (now.at === "connected") return { connection: now.registrar, release: now.registrar.use() };
    const isLate = now.at === "connecting" || now.at === "registering";
    const text = `There is no connection to a host${isLate ? `, and none came within ${timeoutMs} ms` : ""}.`;
    throw new UndeliverableException(text, { code: "disconnected" });
  }

  /**
   * Handles the notice that the host ends soon. New messages wait for the next connection; answers still pass on this one.
   */
  onHostLeaving(leaving: HostConnection, { graceMs: givenMs, addresses }: LeavingFrame): void {
    const movesAtOnce = addresses !== undefined && leaving.outbox.host.knowsLease;
    const graceMs = Math.min(givenMs, movesAtOnce ? longestMoveGraceMs : longestGraceMs);
    const state = this.#state;
    const connection = this.current;
    if (this.#leavingHosts.has(leaving)) return;
    this.#leavingHosts.add(leaving);
    if (connection === undefined || connection !== leaving) return;
    // Such a notice does not say whether the host ends or has too many workers.
    const reason = movesAtOnce
      ? `The host at ${connection.address} sends this worker to another host.`
      : `The host at ${connection.address} is leaving.`;
    this.#options.settings.logger.info(reason);
    void this.#leaveAfter(connection, graceMs + overdueMs);
    // A worker that stops needs no other host while this one still takes what it sends.
    if (state.at === "registering") connection.cut(reason);
    if (state.at !== "connected") return;
    endBackground(state, reason);
    const leavingNow = { connection, graceMs: Math.min(graceMs, longestGraceMs) };
    if (!movesAtOnce) this.#search.begin({ kind: "move", reason, leaving: leavingNow });
    else {
      this.#options.hosts.recommend(addresses);
      void this.#moveInOrder(leavingNow, reason);
    }
  }

  // protocol.md §11.19 E10
  /** Goes to another host of the cluster when all that this one has sent has begun. The host has read by then what this worker has sent. */
  async #moveInOrder({ connection, graceMs }: LeavingHost<Services>, reason: string): Promise<void> {
    const { takeLast, settings } = this.#options;
    const { clock } = settings;
    const endMs = clock.now() + Math.min(graceMs / 2, longestMoveMs);
    this.#movesFrom = connection;
    await takeLast(connection, endMs - clock.now());
    const state = this.#state;
    if (state.at !== "connected" || state.connection !== connection) return;
    this.#become({ ...state, isHeld: true });
    await connection.wasRead(Math.max(endMs - clock.now(), leastReadMs));
    const now = this.#state;
    if (now.at !== "connected" || now.connection !== connection) return;
    this.#search.begin({ kind: "move", reason, leaving: { connection, graceMs } });
  }

  /** Whether the host of a connection has said that it leaves. */
  hasLeavingHost(connection: HostConnection<Services>): boolean {
    return this.#leavingHosts.has(connection);
  }

  /** Resolves when a connection whose link takes no calls has got another link for them, or gets none. Never rejects. */
  async linkRenewed(connection: HostConnection): Promise<void> {
    await this.#handover.renewed(connection);
  }

  /** Handles that the host has accepted the data channel of a connection. */
  onAccepted(connection: HostConnection): void {
    if (this.current !== connection) return;
    this.#search.onAccepted();
    this.#follow();
  }

  /** Makes each connection decide again whether it reads, after a change in the amount of parked work. */
  review(): void {
    for (const connection of this.#connections) connection.review();
  }

  /**
   * Begins the stop of the worker. Ends the search, unless messages wait to be sent. Calls `finish`, which leaves the hosts at
   * its end. The run ends with `finish`, also when `finish` fails; the promise then rejects.
   */
  drain(finish: () => Promise<void>): Promise<void> {
    const state = this.#state;
    const connection = state.at === "connected" ? state.connection : undefined;
    let end!: (finished: Promise<void>) => void;
    const done = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#become({ at: "draining", connection, search: undefined, done });
    if (state.at === "connecting" || state.at === "registering") {
      state.search.abort.abort(stopped());
      this.#sayFarewell();
    }
    if (state.at === "connected") endBackground(state, "The worker stops.");
    const finished = finish().catch(async (error) => {
      await this.#leaveAll((connection) => connection.leave(AbortSignal.abort()));
      throw error;
    });
    end(finished.finally(() => this.#become({ at: "closed", by: "stopped", reason: "The worker was stopped." })));
    return done;
  }

  /** Handles that a message begins to wait without a connection. A worker that stops searches for a host once more then. */
  onStranded(): void {
    const state = this.#state;
    if (state.at === "draining" && state.connection === undefined && state.search === undefined) this.#sayFarewell();
  }

  /** Resolves when a worker that stops has no host and searches for none. */
  async outOfReach(): Promise<void> {
    if (!this.#isOutOfReach) await new Promise<void>((resolve) => this.#onOutOfReach.add(resolve));
  }

  /** Ends the search and every connection. Call it when each call to this worker has its answer. Never rejects. */
  leave(signal: AbortSignal): Promise<void> {
    return this.#leaveAll((connection) => {
      connection.handOver();
      return connection.leave(signal);
    });
  }

  async #leaveAll(leave: (connection: HostConnection<Services>) => Promise<void>): Promise<void> {
    const state = this.#state;
    if (state.at === "draining") {
      state.search?.abort.abort(stopped());
      this.#become({ ...state, connection: undefined, search: undefined });
      this.#tellOutOfReach();
    }
    await Promise.all([...this.#connections].map(leave));
  }

  /** Changes the state, the status and the connection of the send queue. No other code changes the state. */
  #become(state: ConnectionState<Services>): void {
    const { status } = this.#options;
    this.#state = state;
    this.#follow();
    const now = statusOf(state);
    if (!isSameStatus(now, status.latest)) status.set(now);
  }

  #follow(): void {
    this.#options.queue.follow(outboxOf(this.#state), isHeldIn(this.#state));
  }

  #onFound({ connection, registrar }: Found<Services>, { kind }: Search<Services>): void {
    const { settings, counts } = this.#options;
    const state = this.#state;
    if (state.at === "draining") this.#become({ ...state, connection, search: undefined });
    else {
      const sinceMs = settings.clock.now();
      registrar.callOver(connection);
      const background = { renewal: undefined, isHeld: false, handover: undefined };
      this.#become({ at: "connected", connection, registrar, sinceMs, ...background });
      // The older connection may have ended after this one was opened.
      if (!registrar.isOpen && registrar !== connection) this.#handover.takeOver();
    }
    this.#options.onCurrent(connection);
    this.#leaveWhenIdle(connection);
    if (kind !== "start") {
      counts.reconnections += 1;
      settings.logger.info(`Connected to the host at ${connection.address} again, as client ${connection.clientId}.`);
    }
    // The connection may have ended before this point.
    if (!connection.isOpen) void connection.closed.then((end) => this.#onCurrentEnd(connection, end));
    else if (connection.isLinkLeaving) this.#handover.renew(connection);
  }

  /** The worker has gone to another host in order: it leaves the first one when nothing uses that connection any more. */
  #leaveWhenIdle(current: HostConnection<Services>): void {
    const from = this.#movesFrom;
    this.#movesFrom = undefined;
    if (from?.isOpen !== true || from === current) return;
    void this.#options.whenIdle(from, false).then(async () => {
      // A worker that stops leaves all connections at the end of its stop.
      if (from.isOpen && this.#state.at !== "draining") await from.leave();
    });
  }

  #giveUp({ kind }: Search<Services>, error: unknown): void {
    const state = this.#state;
    const reason = errorText(error);
    if (state.at === "draining") {
      this.#become({ ...state, search: undefined });
      return this.#tellOutOfReach();
    }
    const by = kind === "start" ? "start-failed" : "lost";
    this.#become({ at: "closed", by, reason });
    // The host is lost, so that nothing on older connections can finish.
    for (const connection of this.#connections) connection.cut(reason);
    this.#options.onGivenUp(by, reason);
  }

  #watch(connection: HostConnection<Services>): void {
    this.#connections.add(connection);
    void connection.closed.then((end) => this.#onEnd(connection, end));
    void connection.linkLeaving.then(() => this.#handover.renew(connection));
  }

  async #leaveAfter(connection: HostConnection<Services>, ms: number): Promise<void> {
    const end = await atMost(connection.closed, ms, this.#options.settings.clock);
    if (end === undefined) await connection.leave();
  }

  #onEnd(connection: HostConnection<Services>, end: ConnectionEnd): void {
    const { queue, onEnded } = this.#options;
    this.#connections.delete(connection);
    if (end.by === "refused") queue.putBack(connection.outbox.takeKept(end.isUnread));
    onEnded(connection, reasonOf(end));
    this.#onCurrentEnd(connection, end);
    const state = this.#state;
    if (state.at === "connected" && state.registrar === connection) this.#handover.takeOver();
  }

  #onCurrentEnd(connection: HostConnection<Services>, end: ConnectionEnd): void {
    const { settings } = this.#options;
    const { clock, logger } = settings;
    const state = this.#state;
    const reason = reasonOf(end);
    if (state.at === "draining" && state.connection === connection) {
      this.#become({ ...state, connection: undefined });
      if (end.by !== "left") this.#sayFarewell();
      this.#tellOutOfReach();
      return;
    }
    if (state.at !== "connected" || state.connection !== connection) return;
    endBackground(state, reason);
    logger.error(reason, undefined, "The worker has lost its host");
    // Older connections to the same host are lost, too.
    if (end.by === "lost" && end.isSilent)
      for (const older of this.#connections) if (older.address === connection.address) older.cut(reason);
    this.#search.onLost(end, clock.now() - state.sinceMs);
    const registrar = state.registrar !== connection && state.registrar.isOpen ? state.registrar : undefined;
    this.#search.begin({ kind: "return", reason, registrar });
  }

  /** Connects once more if messages wait to be sent. */
  #sayFarewell(): void {
    if (this.#options.queue.waitingCount === 0) return;
    this.#search.begin({ kind: "farewell", reason: "Messages wait to be sent." });
  }

  get #isOutOfReach(): boolean {
    const state = this.#state;
    return state.at === "closed" || (state.at === "draining" && !state.connection && !state.search);
  }

  #tellOutOfReach(): void {
    if (!this.#isOutOfReach) return;
    for (const resolve of this.#onOutOfReach) resolve();
    this.#onOutOfReach.clear();
  }
}
