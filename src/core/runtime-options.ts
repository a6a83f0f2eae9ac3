import type { AmbientContexts } from "./ambient-contexts.ts";
import type { Clock, MakeId } from "./clock.ts";
import type { HandlerInterceptor } from "./interceptor.ts";
import type { InterventionHandler } from "./intervention.ts";
import type { Logger } from "./logger.ts";
import type { MessageLogSink } from "./message-log-records.ts";
import type { Tracing } from "./tracing.ts";

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
   * Lets each agent handle one message at a time, in the order of arrival. Default: false: handlers of one agent interleave at
   * their awaits, as in Python. When true, a call that comes back to its own agent, directly or through others, needs a
   * `timeoutMs`. Without it that call never ends.
   */
  readonly sequentialAgents?: boolean | undefined;
  /** Timeout of calls without `timeoutMs`, in milliseconds. Default: none. */
  readonly defaultTimeoutMs?: number | undefined;
}
