import type { AmbientContexts } from "./ambient-contexts.ts";
import type { Clock, MakeId } from "./clock.ts";
import type { HandlerInterceptor } from "./interceptor.ts";
import type { InterventionHandler } from "./intervention.ts";
import type { Logger } from "./logger.ts";
import type { RuntimeEventSink } from "./message-events.ts";
import type { Tracing } from "./tracing.ts";

/** The options that every runtime takes. */
export interface RuntimeOptions {
  /** See, change or drop messages on their way out; each sees what the one before returned. Default: none. */
  readonly interventionHandlers?: readonly InterventionHandler[] | undefined;
  /** Run around the handlers of this runtime's own agents, the first one outermost. Default: none. */
  readonly interceptors?: readonly HandlerInterceptor[] | undefined;
  /** Default: no spans. See `troupe/telemetry/otel`. */
  readonly tracing?: Tracing | undefined;
  /** Structured message events (protocol.md §5.11). Default: none. See `troupe/telemetry`. */
  readonly events?: RuntimeEventSink | undefined;
  /** Default: warnings and errors on the console. */
  readonly logger?: Logger | undefined;
  /** AutoGen's ambient contexts. Default: none. See `troupe/context`. */
  readonly ambient?: AmbientContexts | undefined;
  readonly clock?: Clock | undefined;
  /** Makes message ids. Default: random UUIDs. */
  readonly makeId?: MakeId | undefined;
  /** One message at a time for each agent. Default false: handlers of one agent interleave at their awaits, as in Python. */
  readonly sequentialAgents?: boolean | undefined;
  /** For calls without `timeoutMs`. Default: none. */
  readonly defaultTimeoutMs?: number | undefined;
}
