import { errorText, UndeliverableException } from "../../core/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { connectWithRetry } from "./connect-with-retry.ts";
import type { HostConnection } from "./host-connection.ts";
import type { ConnectionServices } from "./host-connection-options.ts";
import { atMost } from "./time-limits.ts";

export interface RenewalOptions<Services extends ConnectionServices> {
  readonly settings: WorkerSettings;
  /** Ends the attempts, when the old connection has ended or the worker stops. */
  readonly signal: AbortSignal;
  /** Renewals in a row whose connection lived shortly; they set the first delay. Undefined: the first attempt begins at once. */
  readonly failedRounds: number | undefined;
  readonly open: (address: string, signal: AbortSignal) => Promise<HostConnection<Services>>;
  /** Lets messages wait (true), so that none overtakes messages on the old connection; ends that (false). */
  readonly hold: (isHeld: boolean) => void;
  /** Called with the new connection. Messages need not wait any more. */
  readonly onRenewed: (connection: HostConnection<Services>) => void;
  /** Leaves a connection that can't replace the old one. */
  readonly discard: (connection: HostConnection<Services>) => void;
}

/** Least bound of the milliseconds for which messages wait. A worker whose calls never wait (`callWaitMs`) needs some, too. */
const leastHoldMs = 100;

/**
 * Opens a new connection to the same host when a link takes no new calls (GOAWAY). The data channel on the old link lives, but
 * the worker can't register there, nor ask the host for a sign of life. Tries until it succeeds or the signal aborts. Never
 * rejects.
 */
export async function renewConnection<Services extends ConnectionServices>(
  old: HostConnection<Services>,
  { settings, signal, failedRounds, open, hold, onRenewed, discard }: RenewalOptions<Services>,
): Promise<void> {
  const { reconnect, random, clock, logger } = settings;
  const reason = await old.linkLeaving;
  logger.info(`The connection to the host at ${old.address} is leaving: ${reason}`);
  let renewed: HostConnection<Services> | undefined;
  let failures = 0;
  const openAndConfirm = async (address: string) => {
    const connection = await open(address, signal);
    try {
      await connection.confirm(signal);
      await confirmInOrder(old, connection, { settings, signal, hold, failures });
      signal.throwIfAborted();
      await connection.assertOpen();
      return connection;
    } catch (error) {
      failures += 1;
      hold(false);
      discard(connection);
      throw error;
    }
  };
  try {
    const { found } = await connectWithRetry({
      ...{ addresses: [old.address], failedRounds, failedAttempts: 0 },
      ...{ maxAttempts: Number.POSITIVE_INFINITY, reconnect, random, clock, signal, reason },
      onStep: () => {},
      open: openAndConfirm,
      isWorthRetrying: () => true,
    });
    renewed = found;
  } catch (error) {
    logger.debug(`No new connection to the host at ${old.address}: ${errorText(error)}`);
    return;
  }
  onRenewed(renewed);
}

/**
 * Messages on the old connection must arrive before messages on the new one. So messages wait, the old ones leave, and then the
 * host answers on the new connection. The wait is short, because the old connection still works: after it, messages leave there
 * again. An answer that comes later is good if none has left meanwhile. Each failure doubles the wait, so that a worker that always
 * sends gets to the new connection also at a slow host.
 */
async function confirmInOrder<Services extends ConnectionServices>(
  old: HostConnection<Services>,
  connection: HostConnection<Services>,
  {
    settings,
    signal,
    hold,
    failures,
  }: Pick<RenewalOptions<Services>, "settings" | "signal" | "hold"> & { readonly failures: number },
): Promise<void> {
  const { clock, whileDisconnected, startTimeoutMs } = settings;
  const firstHoldMs = Math.max(whileDisconnected.callWaitMs / 2, leastHoldMs);
  const longestHoldMs = Math.min(firstHoldMs * 2 ** failures, startTimeoutMs);
  const { sentMessages } = old.outbox;
  hold(true);
  const timer = clock.setTimer(longestHoldMs, () => hold(false), { keepAlive: true });
  try {
    await atMost(old.outbox.flushed(), longestHoldMs / 2, clock, signal);
    await connection.confirm(signal);
  } finally {
    timer.cancel();
  }
  if (old.outbox.sentMessages === sentMessages) return;
  const text = `The host at ${old.address} did not answer on the new connection within ${longestHoldMs} ms.`;
  throw new UndeliverableException(text, { code: "disconnected" });
}

/** Counts the renewals of connections that lived shortly, so that the next one waits longer. */
export class RenewalPace {
  #renewals = 0;

  /** Returns the `failedRounds` of the next renewal. A connection that lived longer than `maxDelayMs` begins the count anew. */
  next(livedMs: number, maxDelayMs: number): number | undefined {
    if (livedMs > maxDelayMs) this.#renewals = 0;
    this.#renewals += 1;
    return this.#renewals === 1 ? undefined : this.#renewals - 2;
  }
}

/** Most old connections that stay open at a time. A proxy that sends GOAWAY often would make them pile up. */
const mostRetiring = 8;

/** Old connections. The worker leaves each when it is idle. Beyond the bound it cuts the oldest, whose calls fail. */
export class RetiringConnections<Services extends ConnectionServices> {
  readonly #whenIdle: (connection: HostConnection<Services>, isRegistrar: boolean) => Promise<void>;
  readonly #leave: (connection: HostConnection<Services>) => boolean;
  /** In the order of their retirement. True: the host knows the registrations by this connection. */
  readonly #connections = new Map<HostConnection<Services>, boolean>();

  constructor(
    whenIdle: (connection: HostConnection<Services>, isRegistrar: boolean) => Promise<void>,
    leave: (connection: HostConnection<Services>) => boolean,
  ) {
    this.#whenIdle = whenIdle;
    this.#leave = leave;
  }

  /** Leaves the connection when it is idle. */
  async retire(connection: HostConnection<Services>, isRegistrar: boolean): Promise<void> {
    this.#connections.set(connection, isRegistrar);
    if (this.#connections.size > mostRetiring) this.#cutOldest();
    // Something may begin to use it at the last moment.
    do await this.#whenIdle(connection, isRegistrar);
    while (!this.#leave(connection));
    this.#connections.delete(connection);
  }

  /** Prefers one by which the host does not reach the agents. */
  #cutOldest(): void {
    const all = [...this.#connections.keys()];
    const oldest = all.find((connection) => this.#connections.get(connection) === false) ?? all[0];
    if (oldest === undefined) return;
    this.#connections.delete(oldest);
    oldest.cut(`its link takes no new calls, and the worker keeps ${mostRetiring} such connections at most.`);
  }
}
