import type { AmbientContexts } from "./ambient-contexts.ts";
import type { Clock, MakeId } from "./clock.ts";
import type { HandlerInterceptor } from "./interceptor.ts";
import type { InterventionHandler } from "./intervention.ts";
import type { Logger } from "./logger.ts";
import type { MessageLogSink } from "./message-log-records.ts";
import { type RunsOptions, runsKinds } from "./runs/runs-options.ts";
import { type GuardOptions, guardsKind } from "./scope/guards.ts";
import type { Tracing } from "./tracing.ts";
import { assertKnownMethods } from "./validation/assert-known-methods.ts";
import { type OptionKinds, options as optionsOf } from "./validation/assert-options.ts";
import {
  callable,
  clock,
  fields,
  flag,
  listOf,
  logger,
  number,
  type OptionKind,
  withMethods,
} from "./validation/option-kinds.ts";
import { anyTime, someRoom, someTime } from "./validation/option-values.ts";

/** Options of every runtime. */
export interface RuntimeOptions {
  /** Handlers that see, change or drop messages on their way out; each gets the result of the one before. Default: none. */
  readonly interventionHandlers?: readonly InterventionHandler[] | undefined;
  /** Functions that run around the handlers of this runtime's own agents, the first one outermost. Default: none. */
  readonly interceptors?: readonly HandlerInterceptor[] | undefined;
  /** Creates spans; see `troupe/telemetry/otel`. Default: no spans. */
  readonly tracing?: Tracing | undefined;
  /** Message log; see `troupe/telemetry`. Default: none. */
  readonly messageLog?: MessageLogSink | undefined;
  /** Logger for people. Default: warnings and errors on the console. */
  readonly logger?: Logger | undefined;
  /** AutoGen's ambient contexts; see `troupe/context`. Default: none. */
  readonly ambient?: AmbientContexts | undefined;
  readonly clock?: Clock | undefined;
  /** Creates message ids. Default: random UUIDs. */
  readonly makeId?: MakeId | undefined;
  /**
   * Makes agent types `sequential` that say nothing else in their registration or class. Each agent then handles one message at a
   * time, in the order of arrival, and lets in calls that its own turn waits for. Default: false: handlers of one agent interleave
   * at their awaits, as in Python.
   */
  readonly sequentialAgents?: boolean | undefined;
  /**
   * Milliseconds that a call may wait for its turn at a sequential agent before the runtime looks whether calls wait for each other. If
   * they do, one of them fails (`deadlock`). A worker leaves the search to its host, which must be Troupe's. 0 turns it off. Default 1 000.
   */
  readonly stuckAfterMs?: number | undefined;
  /**
   * Bounds that end agents which answer each other without end. A call beyond `calls` fails (`loop-detected`): they count turns of
   * sequential agents, and handlers of all agents. An event beyond `events` is dropped and counted, and telling a message beyond it fails (`loop-detected`). `false`
   * leaves 32 turns that wait for one call, which is always the most. Default: see `CallGuardOptions` and `EventGuardOptions`.
   */
  readonly guards?: GuardOptions | false | undefined;
  /**
   * Largest number of live agents of all types together. Beyond it the runtime deactivates the one that had no turn for the longest
   * time. Agents that you registered as instances do not count. Default: any number.
   */
  readonly maxLiveAgents?: number | undefined;
  /**
   * Milliseconds that an agent has for `onDeactivate` and the last commit of its state. After that the runtime drops it and counts it
   * (`forcedDeactivations`). Default: 5 000.
   */
  readonly deactivationTimeoutMs?: number | undefined;
  /** Bounds of the runs that this runtime keeps in its memory for its agents. Default: see `RunsOptions`. */
  readonly runs?: RunsOptions | undefined;
  /** Timeout of calls without `timeoutMs`, in milliseconds. Default: none. */
  readonly defaultTimeoutMs?: number | undefined;
}

const ambientMethods = [
  "inFactory",
  "inHandler",
  "handlerAgentId",
  "handlerSignal",
  "inSubscription",
  "subscribingAgentType",
];

const interventionMethods = ["onSend", "onPublish", "onResponse"];

const interventionHandler: OptionKind = {
  expected: "an intervention handler, an object with onSend, onPublish or onResponse",
  accepts: (value) =>
    fields.accepts(value) && interventionMethods.every((name) => isMissingOrFunction(Reflect.get(Object(value), name))),
  assertInside: (value, name) => assertKnownMethods(value, interventionMethods, `The option ${name}`),
};

/** The option `metrics` of hosts and workers. */
export const metricsKind: OptionKind = withMethods(
  "a Metrics, as openTelemetryMetrics() returns it,",
  "histogram",
  "observe",
);

export const runtimeKinds: OptionKinds<RuntimeOptions> = {
  interventionHandlers: listOf(interventionHandler),
  interceptors: listOf(callable),
  tracing: withMethods("a Tracing, as openTelemetryTracing() returns it,", "span", "inject"),
  messageLog: withMethods("a message log, as jsonMessageLog() returns it,", "emit"),
  logger,
  ambient: withMethods("the ambientContexts of troupe/context", ...ambientMethods),
  clock,
  makeId: callable,
  sequentialAgents: flag,
  stuckAfterMs: number(anyTime),
  guards: guardsKind,
  runs: optionsOf(runsKinds),
  maxLiveAgents: number(someRoom),
  deactivationTimeoutMs: number(someTime),
  // With Infinity a call waits without a limit. With 0 the runtime would send no call.
  defaultTimeoutMs: number({ from: 1 }),
};

function isMissingOrFunction(value: unknown): boolean {
  return value === undefined || typeof value === "function";
}
