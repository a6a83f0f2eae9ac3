// Over 400 lines: each option of a host stands here, with its comment, its kind and its default.
import {
  type AgentPlacement,
  anyRoom,
  anyTime,
  assertOptions,
  type Clock,
  type CronPatterns,
  callable,
  clock,
  type DurableLog,
  flag,
  type HostTracing,
  isValidAgentType,
  isValidTopicType,
  type Logger,
  listOf,
  loggableText,
  logger,
  type MakeId,
  MemoryStateStore,
  type Metrics,
  metricsKind,
  number,
  type OptionKinds,
  optionShape,
  options as optionsOf,
  placements,
  type RetryOptions,
  randomId,
  retryKind,
  type StateStore,
  someRoom,
  someTime,
  systemClock,
  TroupeError,
  text,
  topicTypeRule,
  withMethods,
  word,
} from "../core/internal.ts";
import {
  type AccessRules,
  type Authenticator,
  accessRulesKind,
  authenticatorKind,
  type Quotas,
  quotasKind,
} from "../security/internal.ts";
import { assertFitsCluster, clusterKinds, type HostClusterOptions } from "./cluster-options.ts";
import type { HostObserver } from "./observer.ts";
import { type Authorize, knowsCallers } from "./principal.ts";

/** Options of a host. The host applies all defaults itself. */
export interface HostOptions {
  /** Milliseconds after which the host answers a call for a silent target; a caller's own timeout counts if it is smaller. 0: never. Default 300 000. */
  readonly callTimeoutMs?: number | undefined;
  /** Milliseconds after which the host forgets the registrations of a client that never opens its channel. Default 30 000. */
  readonly registrationOrphanMs?: number | undefined;
  // protocol.md §2.1
  /**
   * Milliseconds in which a client whose channel has ended may come back. Under its id it then finds its agent types and
   * subscriptions again, unless others have taken the types. Default: 10 000 for .NET's workers, 0 for others.
   */
  readonly reconnectGraceMs?: number | undefined;
  /** Milliseconds that calls wait for the channel of a client that has registered before it opened one. 0: not at all. Default 2 000. */
  readonly channelWaitMs?: number | undefined;
  // protocol.md §11.12
  /**
   * Heartbeats of workers, which keep proxies from ending quiet streams. 0 or `Infinity`: the host offers none. With any other
   * number it answers them; each worker's own `heartbeatMs` is their interval. After so many milliseconds of silence the host asks
   * a Troupe worker for a sign of life. Default 15 000.
   */
  readonly heartbeatMs?: number | undefined;
  /**
   * Milliseconds that a silent Troupe worker has for its sign of life, before the host ends its channel. So a worker that is frozen
   * behind a proxy is noticed. Handlers that compute for longer without a pause lose their worker. 0 or `Infinity`: the host never
   * asks. Default 30 000.
   */
  readonly heartbeatTimeoutMs?: number | undefined;
  // protocol.md §1.6
  /** Whether the host takes channels without `client-id` as those of generation 1. Default true. */
  readonly acceptLegacyWorkers?: boolean | undefined;
  /**
   * Whether the host withholds frames that a peer's stock library can't take. From `grpc-dotnet/` it withholds events and calls that
   * are not protobuf, and answers by `dotnetErrors`; from every `grpc-…` user agent frames over `stockPeerMaxBytes`. Default true.
   */
  readonly filterByPeer?: boolean | undefined;
  // protocol.md §7
  /**
   * Policy for answers that .NET's workers can't read: errors, and answers that are not protobuf. One such answer would make a
   * worker deaf. `withhold`: the worker gets none, and its call waits until its own time limit. `status`: it gets a protobuf payload
   * of the type `google.rpc.Status`; use it only if each .NET program registers that type. Default `withhold`.
   */
  readonly dotnetErrors?: "withhold" | "status" | undefined;
  /**
   * The longest frame for stock gRPC libraries, in bytes. Raise it where the users of a library have raised its limit. 0: any
   * length. A longer call or answer becomes an error, and the host skips a longer event. Default 4 MiB.
   */
  readonly stockPeerMaxBytes?: number | undefined;
  // protocol.md H16
  /**
   * Whether a client may remove only its own subscriptions. With false it may also remove those of its principal's other clients, or all if
   * callers have no principals. Default: true with an `authenticator` or `authorize`, else false, as at Python's host.
   */
  readonly ownOnly?: boolean | undefined;
  // protocol.md H25
  /**
   * Whether several clients may register one agent type, as at .NET's gateway. The host then sends an event to all of them, and
   * a call to one at random. Later calls to the same agent go to the same client while it stays. Default false.
   */
  readonly allowMultipleOwners?: boolean | undefined;
  // protocol.md §11.14
  /**
   * Agent types that several workers may serve, whether or not they say so: names, or beginnings with a `*` behind. Each agent of such a
   * type is in one worker. Use it for types of AutoGen's workers, which must all run the same program; Troupe's workers say it themselves
   * (`shared`). It excludes `allowMultipleOwners`. Default: none.
   */
  readonly sharedTypes?: readonly string[] | undefined;
  // protocol.md §11.18
  /**
   * Topic types whose events are durable, also those of AutoGen's workers: names, or beginnings with a `*` behind. The host keeps each event for the
   * agents with a durable subscription. A publisher of AutoGen's hears nothing of it. Default: none.
   */
  readonly durableTopics?: readonly string[] | undefined;
  // protocol.md §11.16
  /**
   * Agent types whose calls from AutoGen's workers are kept: names, or beginnings with a `*` behind. The host answers such a call with nothing
   * as soon as it is kept, and tries it again until the agent has handled it. Default: none.
   */
  readonly durableTypes?: readonly string[] | undefined;
  /**
   * The strategy for shared types whose first worker names none: `hash`, `least-loaded`, `round-robin` or `prefer-local` (see
   * `AgentPlacement`). Default `hash`.
   */
  readonly placement?: AgentPlacement | undefined;
  /**
   * `newest`: new agents of shared types go to the workers with the newest `version` among those of the type. `any`: to all of them.
   * Default `newest`.
   */
  readonly versionPolicy?: "newest" | "any" | undefined;
  /**
   * Agents of shared types whose workers the host knows; a message for one more is answered `overloaded`. The callers of one address may
   * have two thirds. Each takes some 90 bytes, beside `maxMemoryBytes`. Default 2 000 000.
   */
  readonly maxClaims?: number | undefined;
  // protocol.md §11.17
  /**
   * Milliseconds that the agents of shared types have to leave a worker which stops. Then the host takes them from it, and answers the calls
   * that it still has with `shutting-down`. The time that a worker names itself counts instead. Default 10 000.
   */
  readonly drainGraceMs?: number | undefined;
  // protocol.md H19
  /**
   * Frames and bytes that may wait for one worker that reads too slowly. Beyond it the host answers a call to that worker with
   * `overloaded` at once, and drops and counts an event for it. Answers to the worker's own calls may take twice as much; beyond
   * that the host ends the channel with RESOURCE_EXHAUSTED. Defaults: 100 000 frames, 32 MiB.
   */
  readonly maxQueuedFrames?: number | undefined;
  readonly maxQueuedBytes?: number | undefined;
  /** `disconnect`: a call or event that finds a worker's queue full ends the channel with RESOURCE_EXHAUSTED. Default `drop`. */
  readonly whenFull?: "drop" | "disconnect" | undefined;
  /**
   * Calls without an outcome, of each calling worker and of all together; the host answers one more with `overloaded`. The workers of one
   * address may have two thirds of the latter. Defaults: 50 000, 500 000.
   */
  readonly maxPendingCallsPerSession?: number | undefined;
  readonly maxPendingCalls?: number | undefined;
  /**
   * Data channels and control channels open at once, and clients with registrations; one more gets RESOURCE_EXHAUSTED. A channel opens all
   * the same if its address would have at most half as many as another. The newest channel of the address with most ends.
   * Clients that register before their channel are shared in the same way. Default 10 000.
   */
  readonly maxSessions?: number | undefined;
  /**
   * Agent types and subscriptions of one client, and subscriptions of all together; one more gets RESOURCE_EXHAUSTED. The clients of one
   * address may have two thirds of the latter. Defaults: 10 000, 100 000, 1 000 000.
   */
  readonly maxTypesPerClient?: number | undefined;
  readonly maxSubscriptionsPerClient?: number | undefined;
  readonly maxSubscriptions?: number | undefined;
  /**
   * Bytes that the host keeps for all clients together: connections, calls, unfinished messages, registrations, and what waits to be
   * sent. One connection gets at most half of it. Where it is used up, the client that holds most gives way. Not in it: the process
   * itself, the state store, and what the collector has not freed yet. Default 512 MiB, or four times `maxQueuedBytes` if that is more.
   */
  readonly maxMemoryBytes?: number | undefined;
  // protocol.md H23
  /**
   * Finds out who calls, once for each stream and each unary call (`troupe/security`). The host refuses callers that it does not know. Client ids,
   * agent types and subscriptions belong to the principals that made them. Default: everybody may do everything.
   */
  readonly authenticator?: Authenticator | undefined;
  /**
   * Decides whether the host serves a stream or a unary call, at once or with a promise. It is for programs from before `authenticator`, which
   * it excludes: `functionAuthenticator` does the same. Default: everybody may do everything.
   */
  readonly authorize?: Authorize | undefined;
  // protocol.md §2.4
  /**
   * Says what callers may do: `accessRules` or `openAccessRules` of `troupe/security`. What no rule allows is refused. It needs an `authenticator`
   * or `authorize`. Default: callers may do everything with what is theirs, call every agent, and use every topic.
   */
  readonly rules?: AccessRules | undefined;
  // protocol.md §2.5
  /**
   * Says how much each principal and each peer address may have and do: `quotaRules` or `openQuotaRules` of `troupe/security`. The host refuses what
   * is beyond with `overloaded`, and says when to try again. Each host of a cluster counts for itself. Default: no quotas.
   */
  readonly quotas?: Quotas | undefined;
  /**
   * Lets the host listen beyond this machine without TLS, or without knowing its callers. Everybody who reaches it may then join, take agent
   * types and read messages. Default: false; such a start is refused.
   */
  readonly insecure?: boolean | undefined;
  /** Takes what happens at the host, synchronously; it must not throw. The host makes nothing for it while there is none. Default: none. */
  readonly observer?: HostObserver | undefined;
  /** Takes metrics: `openTelemetryMetrics` of `troupe/telemetry/otel`. Default: none, and the host measures nothing. */
  readonly metrics?: Metrics | undefined;
  /** Creates spans: `openTelemetryHostTracing` of `troupe/telemetry/otel`. Default: none. */
  readonly tracing?: HostTracing | undefined;
  /**
   * Keeps the states of persistent agents, and those of GetState and SaveState. The host opens it when it starts, holds it, and closes
   * it when it stops. The start rejects with the store's error. Default: in memory, bounded.
   */
  readonly stateStore?: StateStore | undefined;
  /** Takes the state store from a holder that lives, or whose lock stands. That one writes no state any more. Default: false. */
  readonly takesOver?: boolean | undefined;
  /**
   * Policy for told messages and reminders that were not handled. Default: 5 attempts, the second
   * after 1 s. Each later wait is twice as long, at most 5 minutes. What can't be delivered at all is given up after 7 days.
   */
  readonly retry?: RetryOptions | undefined;
  /** Finds the times of reminders with cron patterns: `cronPatterns` of `troupe/cron`. Default: the host refuses such reminders. */
  readonly cron?: CronPatterns | undefined;
  /**
   * The cluster that the host joins when it starts. It keeps states only in a `stateStore` that takes several writers; without one it refuses
   * persistent agents. It excludes `allowMultipleOwners`. Default: the host is alone.
   */
  readonly cluster?: HostClusterOptions | undefined;
  /** Serves gRPC's server reflection, so that command line tools know the host's methods and messages. Default: false. */
  readonly reflection?: boolean | undefined;
  /** Gets the host's log: who joins, leaves and registers, what the host refuses, and problems. Never payloads. Default: no log. */
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  readonly makeId?: MakeId | undefined;
  /** A number from 0 up to 1, for choosing among several owners. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** Options that have a default. */
type WithDefault = Omit<
  HostOptions,
  | "authenticator"
  | "authorize"
  | "rules"
  | "quotas"
  | "logger"
  | "observer"
  | "metrics"
  | "tracing"
  | "reconnectGraceMs"
  | "retry"
  | "cron"
  | "cluster"
>;
type Resolved<Options> = { readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined> };

/** The options with all defaults. */
export interface ResolvedHostOptions extends Resolved<WithDefault> {
  readonly reconnectGraceMs: number | undefined;
  readonly authenticator: Authenticator | undefined;
  readonly authorize: Authorize | undefined;
  readonly rules: AccessRules | undefined;
  readonly quotas: Quotas | undefined;
  readonly observer: HostObserver | undefined;
  readonly metrics: Metrics | undefined;
  readonly tracing: HostTracing | undefined;
  readonly logger: Logger | undefined;
  readonly retry: RetryOptions | undefined;
  readonly cron: CronPatterns | undefined;
  readonly cluster: HostClusterOptions | undefined;
  /** False: `stateStore` is of no use to workers, since hosts of a cluster need one that takes several writers. */
  readonly keepsStates: boolean;
  /** The mail: that of the cluster, or of the state store. Undefined: the host keeps none. */
  readonly log: DurableLog | undefined;
}

const defaultMemoryBytes = 512 * 1024 * 1024;

/** No frame fits into less. */
const frameRoom = { from: 100 };

export const hostKinds: OptionKinds<HostOptions> = {
  callTimeoutMs: number(anyRoom),
  registrationOrphanMs: number(someTime),
  reconnectGraceMs: number(anyTime),
  heartbeatMs: number(anyTime),
  heartbeatTimeoutMs: number(anyTime),
  channelWaitMs: number(anyTime),
  acceptLegacyWorkers: flag,
  filterByPeer: flag,
  dotnetErrors: word("withhold", "status"),
  stockPeerMaxBytes: number(anyRoom),
  ownOnly: flag,
  allowMultipleOwners: flag,
  sharedTypes: listOf(text),
  durableTopics: listOf(text),
  durableTypes: listOf(text),
  placement: word(...placements),
  versionPolicy: word("newest", "any"),
  maxClaims: number(someRoom),
  drainGraceMs: number(someTime),
  maxQueuedFrames: number(someRoom),
  maxQueuedBytes: number(frameRoom),
  whenFull: word("drop", "disconnect"),
  maxPendingCallsPerSession: number(someRoom),
  maxPendingCalls: number(someRoom),
  maxSessions: number(someRoom),
  maxTypesPerClient: number(someRoom),
  maxSubscriptionsPerClient: number(someRoom),
  maxSubscriptions: number(someRoom),
  maxMemoryBytes: number({ from: 1024 * 1024 }),
  authenticator: authenticatorKind,
  authorize: callable,
  rules: accessRulesKind,
  quotas: quotasKind,
  insecure: flag,
  observer: callable,
  metrics: metricsKind,
  tracing: withMethods("a HostTracing, as openTelemetryHostTracing() returns it,", "begin"),
  reflection: flag,
  stateStore: withMethods("a state store, such as new MemoryStateStore(),", "open", "load", "commit", "close"),
  takesOver: flag,
  retry: retryKind,
  cron: withMethods("the cronPatterns of troupe/cron", "next"),
  cluster: optionsOf(clusterKinds),
  logger,
  clock,
  makeId: callable,
  random: callable,
};
const hostShape = optionShape<HostOptions>(hostKinds);

/** Fills in the defaults. Throws `invalid-argument` for unknown options and for values of a wrong kind. */
export function resolveHostOptions(options: HostOptions): ResolvedHostOptions {
  assertOptions(options, hostShape, "A host");
  if (options.allowMultipleOwners === true && (options.sharedTypes?.length ?? 0) > 0) {
    const advice =
      "Leave allowMultipleOwners out: a shared type has several workers, and each agent is in one of them.";
    throw new TroupeError(
      "invalid-argument",
      `The options sharedTypes and allowMultipleOwners exclude each other. ${advice}`,
    );
  }
  if (options.authenticator !== undefined && options.authorize !== undefined) {
    const advice = "Leave authorize out, or pass authenticator: functionAuthenticator(…) in place of it.";
    throw new TroupeError("invalid-argument", `The options authenticator and authorize exclude each other. ${advice}`);
  }
  if (options.rules !== undefined && !knowsCallers(options)) {
    const advice = "Set authenticator, such as tokenAuthenticator({ file }), or leave rules out.";
    throw new TroupeError("invalid-argument", `The option rules needs to know who calls. ${advice}`);
  }
  assertAgentTypes(options, "sharedTypes");
  assertAgentTypes(options, "durableTypes");
  const invalid = options.durableTopics?.find((name) => name !== "*" && !isValidTopicType(name.replace(/\*$/, "")));
  if (invalid !== undefined) {
    const text = `The option durableTopics has "${loggableText(invalid)}", which no topic type can be. ${topicTypeRule}`;
    throw new TroupeError("invalid-argument", `${text} A * at its end stands for any rest.`);
  }
  const keepsStates = options.cluster === undefined || options.stateStore !== undefined;
  if (options.cluster !== undefined) assertFitsCluster(options);
  const isDurable = (options.durableTopics?.length ?? 0) + (options.durableTypes?.length ?? 0) > 0;
  const makeId = options.makeId ?? randomId;
  const stateStore = options.stateStore ?? new MemoryStateStore({ makeId, clock: options.clock });
  const log = options.cluster === undefined ? stateStore.log : options.cluster.log;
  if (isDurable && log === undefined) {
    const text = "The options durableTopics and durableTypes need a state store with mailboxes.";
    const advice =
      "Use a MemoryStateStore, openSqliteStore, or openPostgresStore with one writer; in a cluster the option log of cluster, as openNatsLog opens it.";
    throw new TroupeError("invalid-argument", `${text} ${advice}`);
  }
  if (!keepsStates && (options.durableTopics?.length ?? 0) > 0) {
    const text =
      'The option durableTopics needs a state store, which keeps the durable subscriptions: openPostgresStore with writers: "many".';
    throw new TroupeError("invalid-argument", text);
  }
  return {
    callTimeoutMs: options.callTimeoutMs ?? 300_000,
    registrationOrphanMs: options.registrationOrphanMs ?? 30_000,
    reconnectGraceMs: options.reconnectGraceMs,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    heartbeatTimeoutMs: finiteOr0(options.heartbeatTimeoutMs ?? 30_000),
    channelWaitMs: options.channelWaitMs ?? 2_000,
    acceptLegacyWorkers: options.acceptLegacyWorkers ?? true,
    filterByPeer: options.filterByPeer ?? true,
    dotnetErrors: options.dotnetErrors ?? "withhold",
    stockPeerMaxBytes: (options.stockPeerMaxBytes ?? 4 * 1024 * 1024) || Number.POSITIVE_INFINITY,
    ownOnly: options.ownOnly ?? knowsCallers(options),
    allowMultipleOwners: options.allowMultipleOwners ?? false,
    sharedTypes: options.sharedTypes ?? [],
    durableTopics: options.durableTopics ?? [],
    durableTypes: options.durableTypes ?? [],
    placement: options.placement ?? "hash",
    versionPolicy: options.versionPolicy ?? "newest",
    maxClaims: options.maxClaims ?? 2_000_000,
    drainGraceMs: options.drainGraceMs ?? 10_000,
    maxQueuedFrames: options.maxQueuedFrames ?? 100_000,
    maxQueuedBytes: options.maxQueuedBytes ?? 32 * 1024 * 1024,
    whenFull: options.whenFull ?? "drop",
    maxPendingCallsPerSession: options.maxPendingCallsPerSession ?? 50_000,
    maxPendingCalls: options.maxPendingCalls ?? 500_000,
    maxSessions: options.maxSessions ?? 10_000,
    maxTypesPerClient: options.maxTypesPerClient ?? 10_000,
    maxSubscriptionsPerClient: options.maxSubscriptionsPerClient ?? 100_000,
    maxSubscriptions: options.maxSubscriptions ?? 1_000_000,
    maxMemoryBytes: options.maxMemoryBytes ?? Math.max(defaultMemoryBytes, 4 * (options.maxQueuedBytes ?? 0)),
    authenticator: options.authenticator,
    authorize: options.authorize,
    rules: options.rules,
    quotas: options.quotas,
    insecure: options.insecure ?? false,
    observer: options.observer,
    metrics: options.metrics,
    tracing: options.tracing,
    reflection: options.reflection ?? false,
    stateStore,
    log,
    takesOver: options.takesOver ?? false,
    retry: options.retry,
    cron: options.cron,
    cluster: options.cluster,
    keepsStates,
    logger: options.logger,
    clock: options.clock ?? systemClock,
    makeId,
    random: options.random ?? Math.random,
  };
}

/** Throws `invalid-argument` for a name that no agent type can have. */
function assertAgentTypes(options: HostOptions, option: "sharedTypes" | "durableTypes"): void {
  const invalid = options[option]?.find((name) => name !== "*" && !isValidAgentType(name.replace(/\*$/, "")));
  if (invalid === undefined) return;
  const allowed = "A name has letters, digits and _ - . alone; a * at its end stands for any rest.";
  throw new TroupeError(
    "invalid-argument",
    `The option ${option} has "${loggableText(invalid)}", which no agent type can have as its name. ${allowed}`,
  );
}

function finiteOr0(ms: number): number {
  return Number.isFinite(ms) ? ms : 0;
}
