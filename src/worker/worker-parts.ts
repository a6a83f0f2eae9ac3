import type {
  AgentShelf,
  InterventionChain,
  Mailboxes,
  MessageLog,
  SubscriptionTable,
} from "../core/delivery/index.ts";
import type { CodecRegistry } from "../core/index.ts";
import type { Departures } from "./departures.ts";
import type { HandlerSlots } from "./handler-slots.ts";
import type { WorkInProgress } from "./work-in-progress.ts";
import type { WorkerCounts } from "./worker-counts.ts";
import type { WorkerSettings } from "./worker-options.ts";
import type { StatusBoard } from "./worker-status.ts";

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
