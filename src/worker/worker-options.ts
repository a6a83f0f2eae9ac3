import {
  type AmbientContexts,
  type Clock,
  defaultLogger,
  jsonContentType,
  type Logger,
  type MakeId,
  protobufContentType,
  type RuntimeEventSink,
  type RuntimeOptions,
  randomId,
  systemClock,
  type Tracing,
  TroupeError,
} from "../core/index.ts";
import type { Dialer } from "../transport/index.ts";

/** How a worker behaves, whatever carries its frames. All optional. Interventions see what is sent and published before it is encoded, and answers. */
export interface WorkerOptions extends RuntimeOptions {
  /** The content type of messages that can be written in several: `application/json` (default) or `application/x-protobuf`. */
  readonly payloadSerializationFormat?: string | undefined;
  /** Milliseconds to reach the host and announce what was registered before the start. Default 20 000. */
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
  /** Largest message sent, in bytes; a larger one fails alone (`message-too-large`). Default 64 MiB. A Python host takes 4 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /**
   * Put before the counted ids of calls. Default: the last 8 characters of a new id and a dash, so that AutoGen's own host, which
   * confuses the callers of calls with equal ids (protocol.md H1), never confuses ours.
   */
  readonly requestIdPrefix?: string | undefined;
  /** Whether the failures of handlers here tell Troupe's callers their stack (`remoteStack`). Default false: stacks name files. */
  readonly sendsStacks?: boolean | undefined;
  /** Hand `unknown/unknown` to handlers as an id, as Python does. Default false: the sender is undefined. */
  readonly exposeUnknownSender?: boolean | undefined;
}

export interface WorkerRuntimeOptions extends WorkerOptions {
  /** Makes the connection to the host. */
  readonly dialer: Dialer;
  /** `host:port` of the host. */
  readonly address: string;
}

/** The options with their defaults. */
export interface WorkerSettings {
  readonly dialer: Dialer;
  readonly address: string;
  readonly preferredContentType: string;
  readonly tracing: Tracing | undefined;
  readonly events: RuntimeEventSink | undefined;
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
}

const formats: readonly string[] = [jsonContentType, protobufContentType];

/** Throws `invalid-argument` for a serialization format that is not of the two. */
export function workerSettings(options: WorkerRuntimeOptions): WorkerSettings {
  const format = options.payloadSerializationFormat ?? jsonContentType;
  if (!formats.includes(format)) {
    throw new TroupeError("invalid-argument", `Unsupported payload serialization format: ${format}`);
  }
  return {
    dialer: options.dialer,
    address: options.address,
    preferredContentType: format,
    tracing: options.tracing,
    events: options.events,
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
  };
}
