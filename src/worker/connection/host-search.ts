import { CancelledError, errorText, followAbort, UndeliverableException, unfollowAbort } from "../../core/internal.ts";
import { type ConnectingStep, connectWithRetry, isUnreachable } from "./connect-with-retry.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import { type Cause, type ConnectionState, type Found, isRegistrarOf, type Search } from "./connection-state.ts";
import type { HostConnection } from "./host-connection.ts";
import type { ConnectionServices } from "./host-connection-options.ts";
import type { ConnectionSupervisorOptions } from "./supervisor-options.ts";
import { atMost } from "./time-limits.ts";

export interface HostSearchOptions<Services extends ConnectionServices>
  extends Pick<ConnectionSupervisorOptions<Services>, "settings" | "hosts" | "open" | "register" | "hurry"> {
  readonly state: () => ConnectionState<Services>;
  readonly become: (state: ConnectionState<Services>) => void;
  /** Takes a connection when it has been opened, before the worker registers there. */
  readonly watch: (connection: HostConnection<Services>) => void;
  /** Takes the connection that a search has found. */
  readonly onFound: (found: Found<Services>, search: Search<Services>) => void;
  /** Called when a search has failed or was cancelled, but not when the worker stops. */
  readonly onFailed: (search: Search<Services>, error: unknown) => void;
}

/** Links in a row, in one attempt, that may take no more calls (GOAWAY) before the worker has registered. */
const mostLeavingLinks = 3;

/**
 * Searches for the next connection. Tries the addresses in turn, opens a connection and registers there. Remembers the failures
 * that make the next search slower.
 */
export class HostSearch<Services extends ConnectionServices> {
  readonly #options: HostSearchOptions<Services>;
  /** Number of connections that the worker lost soon after it opened them. It makes the next delay longer. */
  #failedRounds = 0;
  /** Number of connections in a row that the host refused after they were open. */
  #refusals = 0;

  constructor(options: HostSearchOptions<Services>) {
    this.#options = options;
  }

  /** Begins a search and returns it. A search for the start forgets the failures before it. */
  begin(cause: Cause<Services>): Search<Services> {
    const abort = new AbortController();
    const { kind, reason, registrar } = cause;
    if (kind === "start") {
      this.#failedRounds = 0;
      this.#refusals = 0;
    }
    const search: Search<Services> = { kind, reason, abort, registrar, found: undefined };
    search.found = this.#search(search, cause.leaving);
    // Only the caller of `start` waits for the outcome; all others read the state.
    search.found.catch((error) =>
      this.#options.settings.logger.debug(errorText(error), undefined, "The worker has found no host"),
    );
    return search;
  }

  /** Notes that the host has accepted the current connection. */
  onAccepted(): void {
    this.#refusals = 0;
  }

  /** Notes the end of the current connection, after it lived for `livedMs` milliseconds. */
  onLost(end: ConnectionEnd, livedMs: number): void {
    if (end.by === "refused") this.#refusals += 1;
    if (livedMs > this.#options.settings.reconnect.maxDelayMs) this.#failedRounds = 0;
  }

  async #search(search: Search<Services>, leaving: Cause<Services>["leaving"]): Promise<void> {
    const { reconnect, random, clock } = this.#options.settings;
    const { hosts } = this.#options;
    const { kind, reason, abort } = search;
    const { signal } = abort;
    const isPatient = kind !== "start" || reconnect.startWaits;
    // A worker tries the other hosts before it returns to one that leaves.
    const isMoving = kind === "move" && hosts.size > 1;
    const addresses = hosts.inOrder({ isMoving });
    let told = reason;
    const maxAttempts = isPatient && reconnect.maxAttempts > 0 ? reconnect.maxAttempts : addresses.length;
    try {
      if (leaving !== undefined && !isMoving) {
        this.#step(search, { at: "waiting", delayMs: leaving.graceMs, reason });
        await atMost(leaving.connection.closed, leaving.graceMs, clock, signal);
      }
      const isOver = reconnect.maxAttempts === 0 || this.#refusals >= maxAttempts;
      if (kind !== "start" && isOver) throw new UndeliverableException(reason, { code: "disconnected" });
      const { found, address } = await connectWithRetry({
        ...{ addresses, reconnect, random, clock, signal, reason, maxAttempts },
        failedRounds: kind === "start" || isMoving ? undefined : this.#failedRounds,
        failedAttempts: this.#refusals,
        onStep: (step) => {
          this.#step(search, step);
          if (step.at !== "waiting" || step.reason === told) return;
          told = step.reason;
          this.#options.settings.logger.warn(told, undefined, "The worker has not reached its host");
        },
        open: (address) => this.#open(address, search),
        isWorthRetrying: (error) => kind !== "start" || isUnreachable(error),
      });
      hosts.reached(address);
      this.#failedRounds = kind === "start" ? 0 : this.#failedRounds + 1;
      if (found.connection.isAccepted) this.#refusals = 0;
      this.#options.onFound(found, search);
    } catch (error) {
      if (!isStop(signal)) this.#options.onFailed(search, signal.aborted ? signal.reason : error);
      throw signal.aborted ? signal.reason : error;
    }
  }

  #step(search: Search<Services>, step: ConnectingStep): void {
    if (search.abort.signal.aborted) return;
    const { become } = this.#options;
    const state = this.#options.state();
    if (state.at === "draining") become({ ...state, search });
    else if (state.at === "registering") become({ ...state, step });
    else become({ at: "connecting", search, step });
  }

  /** Opens a connection and registers there. Rejects after it has closed what it opened. */
  async #open(address: string, search: Search<Services>, tries = 1): Promise<Found<Services>> {
    const { open, register, hurry, watch, become } = this.#options;
    const { kind } = search;
    const { signal } = search.abort;
    const connection = await open(address, signal);
    watch(connection);
    const before = this.#options.state();
    if (before.at === "connecting" && before.search === search)
      become({ at: "registering", search, step: before.step, connection });
    // A caller that cancels the search does not wait for the host's answers.
    const onAbort = () => void connection.leave(hurry());
    followAbort(signal, onAbort);
    try {
      signal.throwIfAborted();
      const older = isRegistrarOf(search.registrar, connection) ? search.registrar : undefined;
      if (kind === "farewell" || older !== undefined) await connection.confirm(signal);
      else await register(connection, { kind, signal, onWaiting: (step) => this.#step(search, step) });
      signal.throwIfAborted();
      await connection.assertOpen();
      return { connection, registrar: older ?? connection };
    } catch (error) {
      const now = this.#options.state();
      if (now.at === "registering" && now.search === search) become({ at: "connecting", search, step: now.step });
      const isLinkLeaving = connection.isOpen && connection.isLinkLeaving;
      await giveUp(connection, signal.aborted, hurry());
      // The host is there: only this link takes no calls (GOAWAY).
      if (isLinkLeaving && tries < mostLeavingLinks && isUnreachable(error) && !signal.aborted)
        return await this.#open(address, search, tries + 1);
      throw error;
    } finally {
      unfollowAbort(signal, onAbort);
    }
  }
}

// protocol.md §11.19 E11
/**
 * Leaves a connection on which the worker could not register. A host of a cluster must not take that for the end of the worker, which tries
 * another host next.
 */
async function giveUp(connection: HostConnection, isOver: boolean, hurry: AbortSignal): Promise<void> {
  if (isOver || !connection.outbox.host.knowsLease) return connection.leave(hurry);
  connection.cut("the worker could not register there.");
  await connection.closed;
}

/** Creates the reason with which a stop cancels a search. */
export function stopped(): Error {
  return new UndeliverableException("The worker was stopped.", { code: "shutting-down" });
}

/** Whether a stop ended the search. The caller of `start` may cancel it, too; that start has failed. */
function isStop({ aborted, reason }: AbortSignal): boolean {
  return aborted && !(reason instanceof CancelledError);
}

/** Creates the error of a start that its signal cancelled. */
export function startCancelled(signal: AbortSignal | undefined): Error {
  return new CancelledError("The start of the worker was cancelled.", { cause: signal?.reason });
}
