import { type Clock, type Logger, type MakeId, randomId, systemClock } from "../core/index.ts";
import { MemoryStateStore, type StateStore } from "../storage/index.ts";
import type { Authorize } from "./authorize.ts";

export interface HostOptions {
  /** Milliseconds until the host answers a call for a silent target; a caller's own `agtimeoutms` counts if it is smaller. 0: never. Default 300 000. */
  readonly callTimeoutMs?: number;
  /** Milliseconds until registrations of a client that has never opened its channel are forgotten. Default 30 000. */
  readonly registrationOrphanMs?: number;
  /** Milliseconds that calls wait for the channel of a client that has registered ahead of it. 0: not at all. Default 2 000. */
  readonly channelWaitMs?: number;
  /** Whether channels without `client-id` are taken as generation 1's (protocol.md §1.6). Default true. */
  readonly acceptLegacyWorkers?: boolean;
  /**
   * Whether frames that a peer's stock library would choke on are kept from it: JSON events from `grpc-dotnet/`, and
   * frames over `stockPeerMaxBytes` from every `grpc-…` user agent. Default true.
   */
  readonly filterByPeer?: boolean;
  /**
   * What stock gRPC libraries receive: 4 MiB unless their users raised it; then raise it here too. 0: any length. A longer
   * call or answer becomes an error, a longer event is skipped.
   */
  readonly stockPeerMaxBytes?: number;
  /** Whether a client may remove only its own subscriptions. Default false, as Python's host (protocol.md H16). */
  readonly ownOnly?: boolean;
  /**
   * Whether several clients may register one agent type, as .NET's gateway allows: an event then goes to all of them, a call
   * to one at random, and later calls to the same agent to the same one while it stays. Default false (protocol.md H25).
   */
  readonly allowMultipleOwners?: boolean;
  /** Asked before every stream and unary call is served. Default: everybody may do everything (protocol.md H23). */
  readonly authorize?: Authorize;
  /** Where GetState and SaveState keep what they are given. Default: in memory, bounded. */
  readonly stateStore?: StateStore;
  /** Default: nothing is logged. Payloads never are. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly makeId?: MakeId;
  /** A number from 0 up to 1, for choosing among several owners. Default `Math.random`. */
  readonly random?: () => number;
}

/** The options with every default filled in. */
export interface ResolvedHostOptions extends Required<Omit<HostOptions, "authorize" | "logger">> {
  readonly authorize: Authorize | undefined;
  readonly logger: Logger | undefined;
}

export function resolveHostOptions(options: HostOptions): ResolvedHostOptions {
  const makeId = options.makeId ?? randomId;
  return {
    callTimeoutMs: options.callTimeoutMs ?? 300_000,
    registrationOrphanMs: options.registrationOrphanMs ?? 30_000,
    channelWaitMs: options.channelWaitMs ?? 2_000,
    acceptLegacyWorkers: options.acceptLegacyWorkers ?? true,
    filterByPeer: options.filterByPeer ?? true,
    stockPeerMaxBytes: (options.stockPeerMaxBytes ?? 4 * 1024 * 1024) || Number.POSITIVE_INFINITY,
    ownOnly: options.ownOnly ?? false,
    allowMultipleOwners: options.allowMultipleOwners ?? false,
    authorize: options.authorize,
    stateStore: options.stateStore ?? new MemoryStateStore({ makeId }),
    logger: options.logger,
    clock: options.clock ?? systemClock,
    makeId,
    random: options.random ?? Math.random,
  };
}
