import {
  anyRoom,
  anyTime,
  assertNumbers,
  assertWord,
  type Clock,
  type Logger,
  type MakeId,
  type NumberRanges,
  randomId,
  someRoom,
  someTime,
  systemClock,
} from "../core/internal.ts";
import { MemoryStateStore, type StateStore } from "../storage/internal.ts";
import type { Authorize } from "./sessions/authorize.ts";

export interface HostOptions {
  /** Milliseconds until the host answers a call for a silent target; a caller's own `agtimeoutms` counts if it is smaller. 0: never. Default 300 000. */
  readonly callTimeoutMs?: number;
  /** Milliseconds until registrations of a client that has never opened its channel are forgotten. Default 30 000. */
  readonly registrationOrphanMs?: number;
  /**
   * Milliseconds for which a client whose channel has ended may come back under its id and find its agent types and
   * subscriptions again; others may take the types meanwhile. Default: 10 000 for .NET's workers, 0 for others (protocol.md §2.1).
   */
  readonly reconnectGraceMs?: number;
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
  /**
   * Frames and bytes that may wait for one worker that reads too slowly. Beyond it a call to that worker is answered
   * `overloaded` at once, and an event is not sent to it and counted. Answers to the worker's own calls have twice the room;
   * beyond that its channel ends with RESOURCE_EXHAUSTED. Defaults: 100 000 frames, 32 MiB (protocol.md H19).
   */
  readonly maxQueuedFrames?: number;
  readonly maxQueuedBytes?: number;
  /** `disconnect`: a call or event that finds the queue full ends that worker's channel with RESOURCE_EXHAUSTED. Default `drop`. */
  readonly whenFull?: "drop" | "disconnect";
  /** Calls without an outcome, for each calling worker and for all together; one more is answered `overloaded`. Defaults: 50 000, 500 000. */
  readonly maxPendingCallsPerSession?: number;
  readonly maxPendingCalls?: number;
  /** Data channels and control channels open at once, and clients with registrations; one more gets RESOURCE_EXHAUSTED. Default 10 000. */
  readonly maxSessions?: number;
  /** What one client may register, and subscriptions of all together; one more gets RESOURCE_EXHAUSTED. Defaults: 10 000, 100 000, 1 000 000. */
  readonly maxTypesPerClient?: number;
  readonly maxSubscriptionsPerClient?: number;
  readonly maxSubscriptions?: number;
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
export interface ResolvedHostOptions extends Required<Omit<HostOptions, "authorize" | "logger" | "reconnectGraceMs">> {
  readonly reconnectGraceMs: number | undefined;
  readonly authorize: Authorize | undefined;
  readonly logger: Logger | undefined;
}

/** Not one frame fits into less. */
const frameRoom = { from: 100 };

const numberRanges: NumberRanges<HostOptions> = {
  callTimeoutMs: anyRoom,
  registrationOrphanMs: someTime,
  reconnectGraceMs: anyTime,
  channelWaitMs: anyTime,
  stockPeerMaxBytes: anyRoom,
  maxQueuedFrames: someRoom,
  maxQueuedBytes: frameRoom,
  maxPendingCallsPerSession: someRoom,
  maxPendingCalls: someRoom,
  maxSessions: someRoom,
  maxTypesPerClient: someRoom,
  maxSubscriptionsPerClient: someRoom,
  maxSubscriptions: someRoom,
};

/** Throws `invalid-argument` for numbers that can't be meant. */
export function resolveHostOptions(options: HostOptions): ResolvedHostOptions {
  assertNumbers(options, numberRanges);
  assertWord("whenFull", options.whenFull, ["drop", "disconnect"]);
  const makeId = options.makeId ?? randomId;
  return {
    callTimeoutMs: options.callTimeoutMs ?? 300_000,
    registrationOrphanMs: options.registrationOrphanMs ?? 30_000,
    reconnectGraceMs: options.reconnectGraceMs,
    channelWaitMs: options.channelWaitMs ?? 2_000,
    acceptLegacyWorkers: options.acceptLegacyWorkers ?? true,
    filterByPeer: options.filterByPeer ?? true,
    stockPeerMaxBytes: (options.stockPeerMaxBytes ?? 4 * 1024 * 1024) || Number.POSITIVE_INFINITY,
    ownOnly: options.ownOnly ?? false,
    allowMultipleOwners: options.allowMultipleOwners ?? false,
    maxQueuedFrames: options.maxQueuedFrames ?? 100_000,
    maxQueuedBytes: options.maxQueuedBytes ?? 32 * 1024 * 1024,
    whenFull: options.whenFull ?? "drop",
    maxPendingCallsPerSession: options.maxPendingCallsPerSession ?? 50_000,
    maxPendingCalls: options.maxPendingCalls ?? 500_000,
    maxSessions: options.maxSessions ?? 10_000,
    maxTypesPerClient: options.maxTypesPerClient ?? 10_000,
    maxSubscriptionsPerClient: options.maxSubscriptionsPerClient ?? 100_000,
    maxSubscriptions: options.maxSubscriptions ?? 1_000_000,
    authorize: options.authorize,
    stateStore: options.stateStore ?? new MemoryStateStore({ makeId }),
    logger: options.logger,
    clock: options.clock ?? systemClock,
    makeId,
    random: options.random ?? Math.random,
  };
}
