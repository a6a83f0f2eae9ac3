import { errorText } from "../../core/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { connectWithRetry } from "./connect-with-retry.ts";
import type { ConnectionServices, HostConnection } from "./host-connection.ts";
import { atMost } from "./time-limits.ts";

export interface RenewalOptions<Services extends ConnectionServices> {
  readonly settings: WorkerSettings;
  /** Ends the attempts, when the old connection has ended or the worker stops. */
  readonly signal: AbortSignal;
  readonly open: (address: string, signal: AbortSignal) => Promise<HostConnection<Services>>;
  /** Lets messages wait, so that none overtakes messages on the old connection. */
  readonly hold: () => void;
  readonly onRenewed: (connection: HostConnection<Services>) => void;
  /** Called when an attempt has failed: messages need not wait any more. */
  readonly onFailed: () => void;
}

/**
 * Opens a new connection to the same host when a link takes no new calls (GOAWAY). The data channel on the old link lives, but
 * the worker can't register there, nor ask the host for a sign of life. Tries until it succeeds or the signal aborts. Never
 * rejects.
 */
export async function renewConnection<Services extends ConnectionServices>(
  old: HostConnection<Services>,
  { settings, signal, open, hold, onRenewed, onFailed }: RenewalOptions<Services>,
): Promise<void> {
  const { reconnect, random, clock, logger, whileDisconnected } = settings;
  const reason = await old.linkLeaving;
  logger.info(`The connection to the host at ${old.address} is leaving: ${reason}`);
  let renewed: HostConnection<Services> | undefined;
  const openAndConfirm = async (address: string) => {
    const connection = await open(address, signal);
    try {
      await connection.confirm(signal);
      // Messages on the old connection must arrive before messages on the new one. So the old ones leave first; then the host
      // answers on the new connection. A host that takes nothing on the old one must not hold up calls for long.
      hold();
      await atMost(old.outbox.flushed(), whileDisconnected.callWaitMs / 2, clock, signal);
      await connection.confirm(signal);
      signal.throwIfAborted();
      await connection.assertOpen();
      return connection;
    } catch (error) {
      onFailed();
      await connection.leave(signal);
      throw error;
    }
  };
  try {
    const { found } = await connectWithRetry({
      ...{ addresses: [old.address], firstIndex: 0, failedRounds: undefined, failedAttempts: 0 },
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
