import { errorText, TroupeError, UndeliverableException } from "../../core/internal.ts";
import type { WorkerParts } from "../worker-parts.ts";
import { connectWithRetry } from "./connect-with-retry.ts";
import type { ConnectionEnd, HostConnection } from "./host-connection.ts";
import { atMost } from "./time-limits.ts";

/** Why there is a search: the start, a lost host, a host that said it leaves, or the last messages of a worker that stops. */
export type SearchKind = "start" | "return" | "move" | "farewell";

export interface Search {
  readonly kind: SearchKind;
  /** Calls it off. */
  readonly signal: AbortSignal;
}

export interface ConnectionSupervisorOptions {
  readonly parts: WorkerParts;
  /** Opens a connection and, but for a farewell, announces what is registered. Rejects after it has closed what it opened. */
  readonly open: (address: string, search: Search) => Promise<HostConnection>;
  /** Calls that wait on this connection have no answer any more, and answers owed to it no reader. */
  readonly onLost: (connection: HostConnection, reason: string) => void;
  /** It is not tried any more. */
  readonly onGivenUp: (reason: string) => void;
}

/** A search that is to begin. */
interface Cause {
  readonly kind: SearchKind;
  readonly reason: string;
  /** The host that is leaving, and how long it stays: with nowhere else to go, it is waited for. */
  readonly leaving?: { readonly connection: HostConnection; readonly graceMs: number };
}

type SupervisorState =
  | { readonly at: "apart" }
  | { readonly at: "seeking"; readonly search: AbortController; readonly found: Promise<HostConnection> }
  | { readonly at: "attached"; readonly connection: HostConnection }
  /** Too many attempts have failed. */
  | { readonly at: "given-up"; readonly reason: string };

/** A host that leaves and has not ended its channel so long after it meant to is left. */
const overdueMs = 1_000;

/** What ties a worker to a host: one connection at a time, and the search for the next when it is lost (W1). */
export class ConnectionSupervisor {
  readonly #options: ConnectionSupervisorOptions;
  readonly #parts: WorkerParts;
  /** All that are open: the present one, and those of hosts that are leaving. */
  readonly #connections = new Set<HostConnection>();
  /** Those of hosts that have said so. */
  readonly #leaving = new WeakSet<HostConnection>();
  #state: SupervisorState = { at: "apart" };
  #addressIndex = 0;
  #attachedMs = 0;
  /** Connections that were lost soon after they were made: the next is waited for longer. */
  #failedRounds = 0;
  #isStopping = false;

  constructor(options: ConnectionSupervisorOptions) {
    this.#options = options;
    this.#parts = options.parts;
  }

  get current(): HostConnection | undefined {
    return this.#state.at === "attached" ? this.#state.connection : undefined;
  }

  get isSeeking(): boolean {
    return this.#state.at === "seeking";
  }

  /** Why there is no host any more, once that is final. */
  get givenUpBecause(): string | undefined {
    return this.#state.at === "given-up" ? this.#state.reason : undefined;
  }

  /** Resolves when a host has taken the worker; rejects with the last failure. */
  async attach(): Promise<void> {
    this.#failedRounds = 0;
    this.#isStopping = false;
    await this.#seek({ kind: "start", reason: "" });
  }

  /** The connection, now or when there is one again within the time. Rejects with `UndeliverableException`. */
  async connected(timeoutMs: number): Promise<HostConnection> {
    const state = this.#state;
    if (state.at === "attached") return state.connection;
    if (state.at === "seeking") {
      const found = await atMost(state.found, timeoutMs, this.#parts.settings.clock);
      if (found !== undefined) return found;
    }
    const text = `There is no connection to a host${state.at === "seeking" ? `, and none came within ${timeoutMs} ms` : ""}.`;
    throw new UndeliverableException(text, { code: "disconnected" });
  }

  /** The host says that it ends soon: what is sent from now on waits for the next one; answers still pass here. */
  onHostLeaving(connection: HostConnection, graceMs: number): void {
    if (this.current !== connection || this.#leaving.has(connection)) return;
    this.#leaving.add(connection);
    const { logger } = this.#parts.settings;
    const reason = `The host at ${connection.address} is leaving.`;
    logger.info(reason);
    void this.#leaveAfter(connection, graceMs + overdueMs);
    // One that stops needs no other host while this one still takes what it says.
    if (this.#isStopping) return;
    this.#parts.sendQueue.detach();
    this.#seekOn({ kind: "move", reason, leaving: { connection, graceMs } });
  }

  /** More or less work is waiting: see to what is read from the hosts. */
  review(): void {
    for (const connection of this.#connections) connection.review();
  }

  /** The worker stops: no search any more, but for what still waits to be sent. */
  beginFarewell(): void {
    this.#isStopping = true;
    if (this.#state.at !== "seeking") return;
    this.#state.search.abort(stopped());
    this.#sayFarewell();
  }

  /** Ends the search and every connection. Never rejects. */
  async leave(signal: AbortSignal): Promise<void> {
    this.#isStopping = true;
    if (this.#state.at === "seeking") this.#state.search.abort(stopped());
    this.#state = { at: "apart" };
    await Promise.all([...this.#connections].map((connection) => connection.leave(signal)));
  }

  /** A connection is open, before anything was announced there. */
  keep(connection: HostConnection): void {
    this.#connections.add(connection);
    void connection.closed.then((end) => this.#onEnd(connection, end));
  }

  async #leaveAfter(connection: HostConnection, ms: number): Promise<void> {
    const end = await atMost(connection.closed, ms, this.#parts.settings.clock);
    if (end === undefined) await connection.leave();
  }

  /** Connects once more if that can save what waits to be sent. */
  #sayFarewell(): void {
    this.#state = { at: "apart" };
    if (this.#parts.sendQueue.waitingCount === 0) return;
    this.#seekOn({ kind: "farewell", reason: "Messages wait to be sent." });
  }

  #seek(cause: Cause): Promise<HostConnection> {
    const search = new AbortController();
    const found = Promise.resolve().then(() => this.#search(cause, search.signal));
    this.#state = { at: "seeking", search, found };
    return found;
  }

  /** As `#seek`, where nobody waits for the outcome. */
  #seekOn(cause: Cause): void {
    this.#seek(cause).catch((error) => this.#parts.settings.logger.debug(errorText(error)));
  }

  async #search({ kind, reason, leaving }: Cause, signal: AbortSignal): Promise<HostConnection> {
    const { settings, status } = this.#parts;
    const { addresses, reconnect, random, clock } = settings;
    const isPatient = kind !== "start" || reconnect.startWaits;
    // A host that leaves is not come back to before the others were tried.
    const isMoving = kind === "move" && addresses.length > 1;
    try {
      if (leaving !== undefined && !isMoving) {
        status.set({ at: "waiting", delayMs: leaving.graceMs, reason });
        await atMost(leaving.connection.closed, leaving.graceMs, clock, signal);
      }
      if (reconnect.maxAttempts === 0 && kind !== "start")
        throw new UndeliverableException(reason, { code: "disconnected" });
      const { found, index } = await connectWithRetry({
        ...{ addresses, reconnect, random, clock, signal, reason },
        firstIndex: this.#addressIndex + (isMoving ? 1 : 0),
        failedRounds: kind === "start" || isMoving ? undefined : this.#failedRounds,
        maxAttempts: isPatient && reconnect.maxAttempts > 0 ? reconnect.maxAttempts : addresses.length,
        tell: (told) => status.set(kind === "farewell" ? { at: "draining" } : told),
        open: (address) => this.#options.open(address, { kind, signal }),
        isWorthRetrying: (error) => kind !== "start" || isUnreachable(error),
      });
      this.#addressIndex = index;
      this.#attach(found, kind);
      return found;
    } catch (error) {
      if (!signal.aborted) this.#giveUp(kind, error);
      throw error;
    }
  }

  #attach(connection: HostConnection, kind: SearchKind): void {
    const { settings, status, sendQueue, counts } = this.#parts;
    this.#state = { at: "attached", connection };
    this.#attachedMs = settings.clock.now();
    this.#failedRounds += 1;
    if (kind !== "farewell")
      status.set({ at: "connected", address: connection.address, clientId: connection.clientId });
    sendQueue.attach(connection.outbox);
    if (kind === "start") {
      this.#failedRounds = 0;
      return;
    }
    counts.reconnections += 1;
    settings.logger.info(`Connected to the host at ${connection.address} again, as client ${connection.clientId}.`);
  }

  #giveUp(kind: SearchKind, error: unknown): void {
    if (kind === "start" || kind === "farewell") {
      this.#state = { at: "apart" };
      return;
    }
    const reason = errorText(error);
    this.#state = { at: "given-up", reason };
    this.#options.onGivenUp(reason);
  }

  #onEnd(connection: HostConnection, end: ConnectionEnd): void {
    this.#connections.delete(connection);
    const reason = end.by === "lost" ? end.reason : "The worker left the host.";
    this.#options.onLost(connection, reason);
    if (this.current !== connection) return;
    const { settings, sendQueue } = this.#parts;
    sendQueue.detach();
    this.#state = { at: "apart" };
    if (end.by === "left") return;
    settings.logger.error(reason);
    if (this.#isStopping) return this.#sayFarewell();
    if (settings.clock.now() - this.#attachedMs > settings.reconnect.maxDelayMs) this.#failedRounds = 0;
    this.#seekOn({ kind: "return", reason });
  }
}

/** Another host, or the same one later, may do better. */
function isUnreachable(error: unknown): boolean {
  return error instanceof TroupeError && (error.code === "disconnected" || error.code === "timed-out");
}

function stopped(): Error {
  return new UndeliverableException("The worker was stopped.", { code: "shutting-down" });
}
