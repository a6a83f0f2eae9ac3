import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { ConnectingStep } from "./connect-with-retry.ts";
import type { SearchKind } from "./connection-state.ts";
import type { ConnectionServices, HostConnection } from "./host-connection.ts";
import type { Outbox, QueuedMessage } from "./outbox.ts";
import type { StatusBoard } from "./worker-status.ts";

/** Messages that wait for a connection. */
export interface OutboundQueue {
  readonly waitingCount: number;
  /** Sends to this connection from now on; undefined: messages wait. */
  follow(outbox: Outbox | undefined): void;
  /** Takes back what a host refused: it is sent before all else, in its order. */
  putBack(messages: readonly QueuedMessage[]): void;
}

/** Registers everything on a connection. */
export interface RegisterOptions {
  readonly kind: SearchKind;
  readonly signal: AbortSignal;
  /** The host refuses for the moment, and is asked again later. */
  readonly onWaiting: (step: ConnectingStep) => void;
}

export interface ConnectionSupervisorOptions<Services extends ConnectionServices> {
  readonly settings: WorkerSettings;
  readonly counts: WorkerCounters;
  readonly status: StatusBoard;
  readonly queue: OutboundQueue;
  /** Opens a link and the data channel on it. */
  readonly open: (address: string, signal: AbortSignal) => Promise<HostConnection<Services>>;
  /** Registers everything; where there is nothing, asks the host for a sign of life. Resolves when the host itself has answered. */
  readonly register: (connection: HostConnection<Services>, options: RegisterOptions) => Promise<void>;
  /** Resolves when nothing runs any more that came by this connection or waits for it, or when the connection has ended. */
  readonly whenIdle: (connection: HostConnection<Services>) => Promise<void>;
  /** A connection has ended: calls that wait on it get no answer any more, and its callers none. */
  readonly onEnded: (connection: HostConnection<Services>, reason: string) => void;
  /** Aborts when a stop waits for nothing any more. */
  readonly hurry: () => AbortSignal;
  /** The start has failed, or the host was lost for good. */
  readonly onGivenUp: (by: "lost" | "start-failed", reason: string) => void;
}
