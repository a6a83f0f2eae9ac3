import { errorText, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { type Dialer, type Link, RpcError, type RpcStatus, StatusCode } from "../../transport/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { atMost, withinMs } from "./time-limits.ts";

export interface HostToReach {
  readonly address: string;
  /** Cancels the attempt. */
  readonly signal: AbortSignal;
  readonly settings: WorkerSettings;
}

/** Opens a link, and makes something of it once it stands. Throws `invalid-argument` for an invalid address, and `disconnected`. */
export async function reachHost<Reached>(host: HostToReach, make: (link: Link) => Reached): Promise<Reached> {
  const { address, signal: given, settings } = host;
  const link = dialTo(settings.dialer, address);
  try {
    const { startTimeoutMs, clock } = settings;
    await withinMs(startTimeoutMs, clock, given, (signal) => link.ready({ signal }), "startTimeoutMs");
    return make(link);
  } catch (cause) {
    await link.close();
    const text = `Can't reach the host at ${address}: ${errorText(cause)}`;
    throw new UndeliverableException(text, { cause, code: "disconnected" });
  }
}

/** A connection whose link carries calls. */
export interface CallCarrier {
  readonly link: Link;
  /** Whether the link has ended. */
  readonly isLinkGone: boolean;
}

export interface UnaryOverLinksOptions {
  readonly settings: WorkerSettings;
  /** The connection whose link carries the calls now. */
  readonly carrier: () => CallCarrier;
  /** Resolves when there is another carrier, or when none comes. Never rejects. */
  readonly renewed: () => Promise<void>;
  /** Whether the connection that makes the calls is open. */
  readonly isOpen: () => boolean;
}

/** Makes unary calls. One that a leaving link does not take goes over the next link. */
export function unaryOverLinks({ settings, carrier, renewed, isOpen }: UnaryOverLinksOptions): Pick<Link, "unary"> {
  const { clock } = settings;
  return {
    unary: async (name, request, how = {}) => {
      const { timeoutMs = settings.registrationTimeoutMs, signal } = how;
      const endMs = clock.now() + timeoutMs;
      const isOver = () => signal?.aborted === true || clock.now() >= endMs;
      for (let limits = how; ; limits = { ...how, timeoutMs: endMs - clock.now() }) {
        const used = carrier();
        try {
          return await used.link.unary(name, request, limits);
        } catch (error) {
          if (!isUnavailable(error) || isOver()) throw error;
          if (carrier() === used) await atMost(renewed(), endMs - clock.now(), clock, signal);
          // A lost link may have taken the call.
          const hasNext = carrier() !== used && !used.isLinkGone;
          if (!hasNext || !isOpen() || isOver()) throw error;
        }
      }
    },
  };
}

/** Whether a call failed without an answer of the host, as on a link that takes no calls. */
function isUnavailable(error: unknown): boolean {
  return error instanceof RpcError && error.origin !== "peer" && error.code === StatusCode.unavailable;
}

/** Opens a link to an address. Throws `invalid-argument` for an invalid address. */
function dialTo(dialer: Dialer, address: string): Link {
  try {
    return dialer.dial(address);
  } catch (cause) {
    throw new TroupeError("invalid-argument", errorText(cause), { cause });
  }
}

/** Returns the error for a message that the transport has dropped. */
export function toError({ code, details }: RpcStatus): TroupeError {
  return new TroupeError(code === StatusCode.resourceExhausted ? "message-too-large" : "invalid-message", details);
}
