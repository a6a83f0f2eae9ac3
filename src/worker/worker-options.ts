// One file, since each option has its documentation, its check and its default here.
import {
  type AmbientContexts,
  anyRoom,
  anyTime,
  anything,
  assertOptions,
  type Clock,
  type CronPatterns,
  callable,
  defaultLogger,
  flag,
  type Guards,
  guardedLogger,
  guardsOf,
  jsonContentType,
  LimitedLog,
  labelsKind,
  type MakeId,
  type MessageLogSink,
  type Metrics,
  metricsKind,
  number,
  type OptionKind,
  type OptionKinds,
  optionShape,
  options as optionsOf,
  protobufContentType,
  type RuntimeOptions,
  randomId,
  runtimeKinds,
  type StateStore,
  someRoom,
  someTime,
  stateStore,
  systemClock,
  type Tracing,
  TroupeError,
  text,
  type WorkerLabels,
  withMethods,
  word,
  wrongValue,
} from "../core/internal.ts";
import { announcementOf, type Capability, mostIdentityChars, type WorkerIdentity } from "../protocol/internal.ts";
import type { Dialer } from "../transport/internal.ts";
import {
  type ReconnectOptions,
  type ReconnectSettings,
  reconnectKind,
  reconnectSettings,
  type WhileDisconnectedOptions,
  type WhileDisconnectedSettings,
  whileDisconnectedKinds,
  whileDisconnectedSettings,
} from "./reconnect-options.ts";

/**
 * Options of a worker on any transport; all are optional. Interventions see each message before the worker encodes it, and
 * each answer.
 */
export interface WorkerOptions extends RuntimeOptions {
  /**
   * Timeout of calls without `timeoutMs`, in milliseconds. Default 330 000, so that the host's own timeout (300 s) comes first; the
   * default is not sent to the host. `Infinity`: a call waits as long as its host.
   */
  readonly defaultTimeoutMs?: number | undefined;
  /** Content type of messages that have several encodings: `application/json` (default) or `application/x-protobuf`. */
  readonly payloadSerializationFormat?: string | undefined;
  /**
   * Reconnect policy after the worker has lost its host. `false` disables reconnecting: the loss ends the run (`closed`).
   * Default: see `ReconnectOptions`.
   */
  readonly reconnect?: ReconnectOptions | false | undefined;
  /** Policy for events and calls while there is no host. Default: events wait; the worker rejects calls after 1 s. */
  readonly whileDisconnected?: WhileDisconnectedOptions | undefined;
  /**
   * Milliseconds without a message from the host after which the worker asks it for a sign of life; 0 disables this. Default
   * 10 000. The worker asks by a unary call, because gRPC servers like Python's end connections with frequent HTTP/2 pings.
   */
  readonly keepAliveMs?: number | undefined;
  /** Milliseconds that the host has for its sign of life before it counts as lost. Default 5 000. */
  readonly keepAliveTimeoutMs?: number | undefined;
  // protocol.md §11.12
  /**
   * Milliseconds between heartbeats: short messages inside each open stream, so that no proxy ends a quiet one. Only a Troupe
   * host gets them. 0 or `Infinity` disables them. Default 15 000.
   */
  readonly heartbeatMs?: number | undefined;
  /**
   * Largest number of handlers that run at the same time; the worker parks further messages. A call from an agent of this
   * worker always runs. Default: no limit.
   */
  readonly maxConcurrentHandlers?: number | undefined;
  /**
   * Largest number of parked messages. At half of it the worker stops reading from the host (flow control), unless a call of
   * this worker waits for its answer. The worker parks the messages of the last read beyond the bound, so that none is lost.
   * Default 1 000.
   */
  readonly maxParkedMessages?: number | undefined;
  /** The same bound in bytes of the messages as they came, with their metadata. Default 8 MiB. */
  readonly maxParkedBytes?: number | undefined;
  /**
   * Bytes of calls and events that may wait for a slow host. Beyond them `publishMessage` and `sendMessage` wait. Beyond twice
   * as many, the worker refuses the message (`overloaded`). What the host is to write or load for persistent agents has the same
   * bound by itself. Beyond it the worker takes no further messages from its host. Beyond twice as much, commits and loads fail
   * (`overloaded`). Default 16 MiB.
   */
  readonly maxOutboxBytes?: number | undefined;
  /** The same bound in messages, because small messages cost more than their bytes. Default 10 000. */
  readonly maxOutboxMessages?: number | undefined;
  /** Milliseconds that the worker has to reach a host. Default 20 000. */
  readonly startTimeoutMs?: number | undefined;
  /** Timeout of one registration or subscription call, in milliseconds. Default 20 000. */
  readonly registrationTimeoutMs?: number | undefined;
  /** Milliseconds that `stop` gives running handlers to finish. Default 10 000. */
  readonly drainTimeoutMs?: number | undefined;
  /** Milliseconds that `stop` waits for the host to end the channel after the half-close; then it cancels the channel. Default 500. */
  readonly halfCloseWaitMs?: number | undefined;
  /** When the worker opens the control channel. Default `at-start`: other workers can then save and load its agents. */
  readonly controlChannel?: "at-start" | "when-needed" | undefined;
  /** Timeout for saving, loading or describing an agent on another worker, in milliseconds. Default 20 000. */
  readonly controlTimeoutMs?: number | undefined;
  /** Largest message that the worker sends, in bytes. A larger one fails with `message-too-large`. Default 64 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The same bound towards stock hosts, where a longer message ends the whole channel. 0: any length. Default 4 MiB, which is
   * gRPC's default.
   */
  readonly stockHostMaxBytes?: number | undefined;
  // protocol.md §11.14
  /**
   * Name of the worker, which stays the same over restarts: a host that places shared agents by `hash` gives the same ones to it again.
   * Two workers must not have one name. At most 256 characters. Default: a new id for each start.
   */
  readonly name?: string | undefined;
  /**
   * Version of the program, such as `1.10`: new agents of shared types go to the workers with the newest. Numbers between dots are compared as
   * numbers. At most 256 characters. Default: none, which is the oldest.
   */
  readonly version?: string | undefined;
  /** Labels of the worker, at most 16; agents of shared types may require some (`requires`). Default: none. */
  readonly labels?: WorkerLabels | undefined;
  /** Takes metrics: `openTelemetryMetrics` of `troupe/telemetry/otel`. Default: none, and the worker measures nothing. */
  readonly metrics?: Metrics | undefined;
  /** Returns a number from 0 up to 1, for the jitter of delays. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /**
   * Prefix of call ids; a counter follows. Default: the last 8 characters of a new id and a dash. AutoGen's own host confuses
   * the callers of calls with equal ids; the prefix keeps ids of different workers apart.
   */
  // protocol.md H1
  readonly requestIdPrefix?: string | undefined;
  /**
   * Whether the worker sends the stacks of failed handlers to Troupe's callers (`remoteStack`). Default false, because stacks
   * name files.
   */
  readonly sendsStacks?: boolean | undefined;
  /** Whether handlers get the sender `unknown/unknown` as an id, as in Python. Default false: the sender is undefined. */
  readonly exposeUnknownSender?: boolean | undefined;
  /**
   * Number of event ids that the worker remembers. It drops an event whose id it remembers (`duplicateEvents`). .NET's gateway
   * delivers an event several times; Python's hosts and Troupe's do not. Default: 1 000 at .NET's gateway, 0 at other hosts.
   */
  // protocol.md §7
  readonly rememberedEvents?: number | undefined;
  /**
   * Store of the states of this worker's persistent agents. The worker opens it when it first needs it; you close it. One worker holds
   * it at a time. Default: none, and the host keeps them. A host that keeps no states makes persistent types `not-accessible`.
   */
  readonly stateStore?: StateStore | undefined;
  /** Reads the cron patterns of reminders: `cronPatterns` of `troupe/cron`, which the host needs, too. Default: reminders can't have any. */
  readonly cron?: CronPatterns | undefined;
}

/** Options of a `WorkerRuntime`: those of every worker, the transport and the hosts. */
export interface WorkerRuntimeOptions extends WorkerOptions {
  /** Opens links to hosts. */
  readonly dialer: Dialer;
  /** Address of the host as `host:port`, or of several hosts that the worker tries in turn. */
  readonly address: string | readonly string[];
}

/** The options with their defaults applied. */
export interface WorkerSettings {
  readonly dialer: Dialer;
  /** At least one. */
  readonly addresses: readonly string[];
  readonly reconnect: ReconnectSettings;
  readonly whileDisconnected: WhileDisconnectedSettings;
  readonly random: () => number;
  /** That of the first run. */
  readonly identity: WorkerIdentity;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  /** 0: no heartbeats. */
  readonly heartbeatMs: number;
  readonly maxConcurrentHandlers: number;
  readonly maxParkedMessages: number;
  readonly maxParkedBytes: number;
  readonly maxOutboxBytes: number;
  readonly maxOutboxMessages: number;
  readonly stockHostMaxBytes: number;
  readonly preferredContentType: string;
  readonly tracing: Tracing | undefined;
  readonly metrics: Metrics | undefined;
  readonly messageLog: MessageLogSink | undefined;
  /** For the worker's own lines. */
  readonly logger: LimitedLog;
  readonly ambient: AmbientContexts | undefined;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly sequentialAgents: boolean;
  /** 0: calls that wait for their turn are not reported. */
  readonly stuckAfterMs: number;
  readonly guards: Guards;
  /** Undefined: any number. */
  readonly maxLiveAgents: number | undefined;
  readonly deactivationTimeoutMs: number;
  readonly defaultTimeoutMs: number | undefined;
  readonly startTimeoutMs: number;
  readonly registrationTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly halfCloseWaitMs: number;
  readonly opensControlAtStart: boolean;
  readonly controlTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly requestIdPrefix: string;
  readonly sendsStacks: boolean;
  readonly exposeUnknownSender: boolean;
  /** Undefined: the host decides. */
  readonly rememberedEvents: number | undefined;
  /** Undefined: reminders can't have cron patterns. */
  readonly cron: CronPatterns | undefined;
}

const shortText: OptionKind = {
  expected: `a text of 1 to ${mostIdentityChars} characters`,
  accepts: (value) => typeof value === "string" && value.length > 0 && value.length <= mostIdentityChars,
};

export const workerKinds: OptionKinds<WorkerOptions> = {
  ...runtimeKinds,
  payloadSerializationFormat: word(jsonContentType, protobufContentType),
  reconnect: reconnectKind,
  whileDisconnected: optionsOf<WhileDisconnectedOptions>(whileDisconnectedKinds),
  keepAliveMs: number(anyTime),
  keepAliveTimeoutMs: number(someTime),
  heartbeatMs: number(anyTime),
  maxConcurrentHandlers: number(someRoom),
  maxParkedMessages: number(anyRoom),
  maxParkedBytes: number(anyRoom),
  maxOutboxBytes: number(someRoom),
  maxOutboxMessages: number(someRoom),
  startTimeoutMs: number(someTime),
  registrationTimeoutMs: number(someTime),
  drainTimeoutMs: number(anyTime),
  halfCloseWaitMs: number(anyTime),
  controlChannel: word("at-start", "when-needed"),
  controlTimeoutMs: number(someTime),
  maxMessageBytes: number(someRoom),
  stockHostMaxBytes: number(anyRoom),
  name: shortText,
  version: shortText,
  labels: labelsKind,
  metrics: metricsKind,
  random: callable,
  requestIdPrefix: text,
  sendsStacks: flag,
  exposeUnknownSender: flag,
  rememberedEvents: number(anyRoom),
  stateStore,
  cron: withMethods("the cronPatterns of troupe/cron", "next"),
};

/** A test host is the options of its workers: `new WorkerRuntime(testHost)`. */
interface OfTestHost {
  readonly host?: unknown;
}

const workerShape = optionShape<WorkerRuntimeOptions & OfTestHost>({
  ...workerKinds,
  dialer: withMethods("a dialer, such as grpcDialer(),", "dial"),
  // `someAddress` checks it.
  address: anything,
  host: anything,
});

/** Applies the defaults. Throws `invalid-argument` for unknown options and for values of a wrong kind. */
export function workerSettings(options: WorkerRuntimeOptions): WorkerSettings {
  assertOptions(options, workerShape, "A worker");
  if (options.dialer === undefined)
    throw wrongValue("The option dialer must be a dialer, such as grpcDialer()", undefined);
  return {
    dialer: options.dialer,
    addresses: someAddress(options.address),
    reconnect: reconnectSettings(options.reconnect),
    whileDisconnected: whileDisconnectedSettings(options.whileDisconnected),
    random: options.random ?? Math.random,
    identity: identityOf(options),
    keepAliveMs: options.keepAliveMs ?? 10_000,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 5_000,
    heartbeatMs: finiteOr0(options.heartbeatMs ?? 15_000),
    maxConcurrentHandlers: options.maxConcurrentHandlers ?? Number.POSITIVE_INFINITY,
    maxParkedMessages: options.maxParkedMessages ?? 1_000,
    maxParkedBytes: options.maxParkedBytes ?? 8 * 1024 * 1024,
    maxOutboxBytes: options.maxOutboxBytes ?? 16 * 1024 * 1024,
    maxOutboxMessages: options.maxOutboxMessages ?? 10_000,
    stockHostMaxBytes: (options.stockHostMaxBytes ?? 4 * 1024 * 1024) || Number.POSITIVE_INFINITY,
    preferredContentType: options.payloadSerializationFormat ?? jsonContentType,
    tracing: options.tracing,
    metrics: options.metrics,
    messageLog: options.messageLog,
    logger: new LimitedLog(guardedLogger(options.logger ?? defaultLogger), clockOf(options)),
    ambient: options.ambient,
    clock: clockOf(options),
    makeId: options.makeId ?? randomId,
    sequentialAgents: options.sequentialAgents ?? false,
    guards: guardsOf(options.guards),
    stuckAfterMs: finiteOr0(options.stuckAfterMs ?? 1_000),
    maxLiveAgents: options.maxLiveAgents,
    deactivationTimeoutMs: options.deactivationTimeoutMs ?? 5_000,
    defaultTimeoutMs: options.defaultTimeoutMs,
    startTimeoutMs: options.startTimeoutMs ?? 20_000,
    registrationTimeoutMs: options.registrationTimeoutMs ?? 20_000,
    drainTimeoutMs: options.drainTimeoutMs ?? 10_000,
    halfCloseWaitMs: options.halfCloseWaitMs ?? 500,
    opensControlAtStart: (options.controlChannel ?? "at-start") === "at-start",
    controlTimeoutMs: options.controlTimeoutMs ?? 20_000,
    maxMessageBytes: options.maxMessageBytes ?? 64 * 1024 * 1024,
    requestIdPrefix: options.requestIdPrefix ?? `${(options.makeId ?? randomId)().slice(-8)}-`,
    sendsStacks: options.sendsStacks ?? false,
    exposeUnknownSender: options.exposeUnknownSender ?? false,
    rememberedEvents: options.rememberedEvents,
    cron: options.cron,
  };
}

function identityOf({ makeId = randomId, name, version, labels = {} }: WorkerOptions): WorkerIdentity {
  const id = makeId();
  return { id, name: name ?? id, version, labels: { ...labels } };
}

/** Returns what a worker is to hosts under its next id: another worker, of the same name if it has one. */
export function nextIdentity(identity: WorkerIdentity, makeId: MakeId): WorkerIdentity {
  const id = makeId();
  return { ...identity, id, name: identity.name === identity.id ? id : identity.name };
}

/** Returns what a worker with these settings says that it knows when it opens its channel, as metadata. */
export function announcementFor({ heartbeatMs }: WorkerSettings): { readonly [key: string]: string } {
  const words: readonly Capability[] = [
    ...(heartbeatMs > 0 ? (["heartbeat"] as const) : []),
    "turns",
    "states",
    "claims",
    "mail",
    "lease",
    "streams",
  ];
  return announcementOf(words);
}

function clockOf({ clock: given = systemClock }: WorkerRuntimeOptions): Clock {
  return given;
}

function finiteOr0(ms: number): number {
  return Number.isFinite(ms) ? ms : 0;
}

function someAddress(address: string | readonly string[]): readonly string[] {
  const addresses: readonly string[] = Array.isArray(address) ? [...address] : [address];
  if (addresses.length > 0 && addresses.every((one) => typeof one === "string")) return addresses;
  throw new TroupeError(
    "invalid-argument",
    "A worker needs the address of at least one host, as text: 127.0.0.1:50051.",
  );
}
