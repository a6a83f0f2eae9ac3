import type {
  AgentCatalog,
  CodecRegistry,
  Dispatcher,
  InterventionChain,
  MessageLog,
  SubscriptionTable,
} from "../core/internal.ts";
import type { StatusBoard } from "./connection/worker-status.ts";
import type { ConcurrencyLimiter } from "./inbound/concurrency-limiter.ts";
import type { InFlight } from "./inbound/in-flight.ts";
import type { SendQueue } from "./outbound/send-queue.ts";
import type { WorkerCounters } from "./worker-counters.ts";
import type { WorkerSettings } from "./worker-options.ts";

/** What the parts of one worker share; it outlives connections. */
export interface WorkerParts {
  readonly settings: WorkerSettings;
  readonly catalog: AgentCatalog;
  readonly subscriptions: SubscriptionTable;
  readonly registry: CodecRegistry;
  readonly interventions: InterventionChain;
  /** There only if somebody takes message events. */
  readonly log: MessageLog | undefined;
  readonly dispatcher: Dispatcher;
  readonly work: InFlight;
  /** Bounds how many of them there are. */
  readonly slots: ConcurrencyLimiter;
  readonly sendQueue: SendQueue;
  readonly status: StatusBoard;
  readonly counts: WorkerCounters;
  /** "1", "2", …: calls and generation 1's registrations share one sequence (protocol.md §1.6). */
  readonly nextRequestNumber: () => number;
}
