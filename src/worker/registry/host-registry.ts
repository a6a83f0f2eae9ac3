import { TroupeError, UndeliverableException } from "../../core/internal.ts";
import type { WireSubscription } from "../../protocol/internal.ts";

/**
 * Port for registering at a host. Its adapters use unary calls (generations 2 and 3) or the data channel (generation 1). A
 * signal ends the wait for the host's answer; the host may still carry out the request.
 */
export interface HostRegistry {
  /** Registers an agent type. Throws `TypeTakenError` when another worker serves the type. */
  registerType(agentType: string, signal?: AbortSignal): Promise<void>;
  /** Adds a subscription. Throws `already-exists` when the host has an equal one. */
  addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void>;
  /** Removes a subscription. Resolves, too, when the host does not know it or can't remove subscriptions. */
  // protocol.md §1.1
  removeSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void>;
  /** Resolves to all subscriptions at the host, or to undefined when the host can't list them. */
  subscriptions(signal?: AbortSignal): Promise<readonly WireSubscription[] | undefined>;
}

/** The registry of a host. The worker does not leave the connection before `release` is called. */
export interface UsedRegistry {
  readonly registry: HostRegistry;
  /** Throws `UndeliverableException` when the connection has ended or the worker stops. */
  readonly assertOpen: () => void;
  /** Whether the run of the worker in which the use began is over. */
  readonly hasStopped: () => boolean;
  readonly release: () => void;
}

/** Creates the error of a registration that begins while the worker stops. */
export function stopping(): Error {
  const text = "The worker is stopping and registers nothing more. Register again after its next start.";
  return new UndeliverableException(text, { code: "shutting-down" });
}

/** Returns the error of a registration that failed after the stop began: what the host or the connection says is of no use then. */
export function stoppedError(what: string, error: unknown): unknown {
  if (error instanceof TroupeError && (error.code === "cancelled" || error.code === "shutting-down")) return error;
  const text = `${what} was cut short, because the worker stops. Register again after its next start.`;
  return new UndeliverableException(text, { code: "shutting-down", cause: error });
}

/** Creates the error of a registration that waits for its type when the worker stops. */
export function stoppedWaiting(type: string): Error {
  const text = `The worker has stopped while it waited for agent type ${type}.`;
  return new UndeliverableException(text, { code: "shutting-down" });
}
