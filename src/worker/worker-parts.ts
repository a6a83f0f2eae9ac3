import type {
  AgentShelf,
  InterventionChain,
  Mailboxes,
  MessageLog,
  SubscriptionTable,
} from "../core/delivery/index.ts";
import type { CodecRegistry } from "../core/index.ts";
import type { StatusBoard } from "./connection/worker-status.ts";
import type { HandlerSlots } from "./inbound/concurrency-limiter.ts";
import type { WorkInProgress } from "./inbound/in-flight.ts";
import type { Departures } from "./outbound/send-queue.ts";
import type { WorkerCounts } from "./worker-counters.ts";
import type { WorkerSettings } from "./worker-options.ts";

/** What the parts of one worker share; it outlives connections. */
export interface WorkerParts {
  readonly settings: WorkerSettings;
  readonly shelf: AgentShelf;
  readonly subscriptions: SubscriptionTable;
  readonly registry: CodecRegistry;
  readonly interventions: InterventionChain;
  /** There only if somebody takes message events. */
  readonly log: MessageLog | undefined;
  readonly mailboxes: Mailboxes | undefined;
  readonly work: WorkInProgress;
  /** Bounds how many of them there are. */
  readonly slots: HandlerSlots;
  readonly departures: Departures;
  readonly status: StatusBoard;
  readonly counts: WorkerCounts;
  /** "1", "2", …: calls and generation 1's registrations share one sequence (protocol.md §1.6). */
  readonly nextRequestNumber: () => number;
}
