import { errorText, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { type Dialer, type Link, parseAddress, type RpcStatus, StatusCode } from "../../transport/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { withinLimit } from "./time-limits.ts";

interface HostToReach {
  readonly address: string;
  /** Cancels the attempt. */
  readonly signal: AbortSignal;
  readonly settings: WorkerSettings;
}

/** Opens a link, and makes something of it once it stands. Throws `invalid-argument` for an invalid address, and `disconnected`. */
export async function reachHost<Reached>(host: HostToReach, make: (link: Link) => Reached): Promise<Reached> {
  const { address, signal, settings } = host;
  const link = dialTo(settings.dialer, address);
  try {
    const limit = { ms: settings.startTimeoutMs, option: "startTimeoutMs", clock: settings.clock, signal };
    await withinLimit(limit, (within) => link.ready({ signal: within }));
    return make(link);
  } catch (cause) {
    await link.close();
    const text = `Can't reach the host at ${address}: ${errorText(cause)}`;
    throw new UndeliverableException(text, { cause, code: "disconnected" });
  }
}

/** Throws `invalid-argument` for the first address that no dialer can read, so that a wrong one does not wait for a lost host. */
export function assertAddresses(addresses: readonly string[]): void {
  for (const address of addresses) asInvalidArgument(() => parseAddress(address));
}

/** Opens a link to an address. Throws `invalid-argument` for an invalid address. */
function dialTo(dialer: Dialer, address: string): Link {
  return asInvalidArgument(() => dialer.dial(address));
}

function asInvalidArgument<Result>(body: () => Result): Result {
  try {
    return body();
  } catch (cause) {
    throw new TroupeError("invalid-argument", errorText(cause), { cause });
  }
}

/** Returns the error for a message that the transport has dropped. */
export function droppedMessageError({ code, details }: RpcStatus): TroupeError {
  return new TroupeError(code === StatusCode.resourceExhausted ? "message-too-large" : "invalid-message", details);
}
