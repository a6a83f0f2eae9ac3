import {
  type AmbientContexts,
  anyRoom,
  anyTime,
  assertNumbers,
  assertWord,
  type Clock,
  defaultLogger,
  jsonContentType,
  type Logger,
  type MakeId,
  type MessageLogSink,
  type NumberRanges,
  protobufContentType,
  type RuntimeOptions,
  randomId,
  someRoom,
  someTime,
  systemClock,
  type Tracing,
  TroupeError,
} from "../core/internal.ts";
import type { Dialer } from "../transport/internal.ts";
import {
  type ReconnectOptions,
  type ReconnectSettings,
  reconnectSettings,
  type WhileDisconnectedOptions,
  type WhileDisconnectedSettings,
  whileDisconnectedSettings,
} from "./reconnect-options.ts";

/** How a worker behaves, whatever carries its frames. All optional. Interventions see what is sent and published before it is encoded, and answers. */
export interface WorkerOptions extends RuntimeOptions {
  /** The content type of messages that can be written in several: `application/json` (default) or `application/x-protobuf`. */
  readonly payloadSerializationFormat?: string | undefined;
  /** How a lost host is come back to; `false`: not at all, then its loss is the end of the run (`closed`). Default: see `ReconnectOptions`. */
  readonly reconnect?: ReconnectOptions | false | undefined;
  /** What becomes of events and calls while there is no host. Default: events wait, calls are rejected after 1 s. */
  readonly whileDisconnected?: WhileDisconnectedOptions | undefined;
  /**
   * After so many milliseconds without a message from the host it is asked for a sign of life. 0: never. Default 10 000. It is asked
   * by a unary call, since gRPC servers as Python's hang up on HTTP/2 pings that often.
   */
  readonly keepAliveMs?: number | undefined;
  /** How long a host may take for the sign of life before it counts as lost, in milliseconds. Default 5 000. */
  readonly keepAliveTimeoutMs?: number | undefined;
  /** Handlers that run at the same time; further messages are parked. A call from an agent of this worker always runs. Default: any number. */
  readonly maxConcurrentHandlers?: number | undefined;
  /**
   * Messages parked; with half of them the host's are not read on (flow control), unless a call from here awaits its answer.
   * What the last read had brought along is parked beyond that, rather than lost. Default 1 000.
   */
  readonly maxParkedMessages?: number | undefined;
  /** Default 8 MiB. */
  readonly maxParkedBytes?: number | undefined;
  /**
   * Bytes of calls and events that wait for a host that takes them slowly. Then `publishMessage` and `sendMessage` wait for room;
   * what would need more than twice as much is refused (`overloaded`). Default 16 MiB.
   */
  readonly maxOutboxBytes?: number | undefined;
  /** The same bound in messages: small ones cost more than their bytes. Default 10 000. */
  readonly maxOutboxMessages?: number | undefined;
  /** Milliseconds to reach the host. Default 20 000. */
  readonly startTimeoutMs?: number | undefined;
  /** Milliseconds for one registration or subscription call. Default 20 000. */
  readonly registrationTimeoutMs?: number | undefined;
  /** Milliseconds `stop` lets running handlers finish. Default 10 000. */
  readonly drainTimeoutMs?: number | undefined;
  /** Milliseconds `stop` waits, after the half-close, for the host to end the channel before it is cancelled. Default 500. */
  readonly halfCloseWaitMs?: number | undefined;
  /** When the control channel opens. Default `at-start`: other workers can then save and load the agents here. */
  readonly controlChannel?: "at-start" | "when-needed" | undefined;
  /** Milliseconds for saving, loading or describing an agent on another worker. Default 20 000. */
  readonly controlTimeoutMs?: number | undefined;
  /** Largest message sent, in bytes; a larger one fails alone (`message-too-large`). Default 64 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The same towards hosts that are not Troupe's: a longer one than they take ends the whole channel there. 0: any length. Default
   * 4 MiB, as gRPC's.
   */
  readonly stockHostMaxBytes?: number | undefined;
  /** A number from 0 up to 1, for the jitter of delays. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /**
   * Put before the counted ids of calls. Default: the last 8 characters of a new id and a dash, so that AutoGen's own host, which
   * confuses the callers of calls with equal ids (protocol.md H1), never confuses ours.
   */
  readonly requestIdPrefix?: string | undefined;
  /** Whether the failures of handlers here tell Troupe's callers their stack (`remoteStack`). Default false: stacks name files. */
  readonly sendsStacks?: boolean | undefined;
  /** Hand `unknown/unknown` to handlers as an id, as Python does. Default false: the sender is undefined. */
  readonly exposeUnknownSender?: boolean | undefined;
  /**
   * So many ids of events are remembered, and an event with one of them is dropped (`duplicateEvents`). For .NET's gateway, which may
   * deliver an event twice (protocol.md §7); Python's hosts and ours don't. Default 0: none.
   */
  readonly rememberedEvents?: number | undefined;
}

export interface WorkerRuntimeOptions extends WorkerOptions {
  /** Makes the connection to the host. */
  readonly dialer: Dialer;
  /** `host:port` of the host, or of several that are tried in turn. */
  readonly address: string | readonly string[];
}

/** The options with their defaults. */
export interface WorkerSettings {
  readonly dialer: Dialer;
  /** At least one. */
  readonly addresses: readonly string[];
  readonly reconnect: ReconnectSettings;
  readonly whileDisconnected: WhileDisconnectedSettings;
  readonly random: () => number;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConcurrentHandlers: number;
  readonly maxParkedMessages: number;
  readonly maxParkedBytes: number;
  readonly maxOutboxBytes: number;
  readonly maxOutboxMessages: number;
  readonly stockHostMaxBytes: number;
  readonly preferredContentType: string;
  readonly tracing: Tracing | undefined;
  readonly messageLog: MessageLogSink | undefined;
  readonly logger: Logger;
  readonly ambient: AmbientContexts | undefined;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly sequentialAgents: boolean;
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
  readonly rememberedEvents: number;
}

const numberRanges: NumberRanges<WorkerOptions> = {
  keepAliveMs: anyTime,
  keepAliveTimeoutMs: someTime,
  maxConcurrentHandlers: someRoom,
  maxParkedMessages: anyRoom,
  maxParkedBytes: anyRoom,
  maxOutboxBytes: someRoom,
  maxOutboxMessages: someRoom,
  startTimeoutMs: someTime,
  registrationTimeoutMs: someTime,
  drainTimeoutMs: anyTime,
  halfCloseWaitMs: anyTime,
  controlTimeoutMs: someTime,
  maxMessageBytes: someRoom,
  stockHostMaxBytes: anyRoom,
  rememberedEvents: anyRoom,
  // A call waits for ever with Infinity; with 0 none would ever be sent.
  defaultTimeoutMs: { from: 1 },
};

const formats: readonly string[] = [jsonContentType, protobufContentType];

/** Throws `invalid-argument` for a serialization format that is not of the two, and for numbers that can't be meant. */
export function workerSettings(options: WorkerRuntimeOptions): WorkerSettings {
  const format = options.payloadSerializationFormat ?? jsonContentType;
  if (!formats.includes(format)) {
    throw new TroupeError("invalid-argument", `Unsupported payload serialization format: ${format}`);
  }
  assertNumbers(options, numberRanges);
  assertWord("controlChannel", options.controlChannel, ["at-start", "when-needed"]);
  return {
    dialer: options.dialer,
    addresses: someAddress(options.address),
    reconnect: reconnectSettings(options.reconnect),
    whileDisconnected: whileDisconnectedSettings(options.whileDisconnected),
    random: options.random ?? Math.random,
    keepAliveMs: options.keepAliveMs ?? 10_000,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 5_000,
    maxConcurrentHandlers: options.maxConcurrentHandlers ?? Number.POSITIVE_INFINITY,
    maxParkedMessages: options.maxParkedMessages ?? 1_000,
    maxParkedBytes: options.maxParkedBytes ?? 8 * 1024 * 1024,
    maxOutboxBytes: options.maxOutboxBytes ?? 16 * 1024 * 1024,
    maxOutboxMessages: options.maxOutboxMessages ?? 10_000,
    stockHostMaxBytes: (options.stockHostMaxBytes ?? 4 * 1024 * 1024) || Number.POSITIVE_INFINITY,
    preferredContentType: format,
    tracing: options.tracing,
    messageLog: options.messageLog,
    logger: options.logger ?? defaultLogger,
    ambient: options.ambient,
    clock: options.clock ?? systemClock,
    makeId: options.makeId ?? randomId,
    sequentialAgents: options.sequentialAgents ?? false,
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
    rememberedEvents: options.rememberedEvents ?? 0,
  };
}

function someAddress(address: string | readonly string[]): readonly string[] {
  const addresses: readonly string[] = Array.isArray(address) ? [...address] : [address];
  if (addresses.length > 0 && addresses.every((one) => typeof one === "string")) return addresses;
  throw new TroupeError(
    "invalid-argument",
    "A worker needs the address of at least one host, as text: 127.0.0.1:50051.",
  );
}
