import type { WorkerCounters } from "../worker-counters.ts";
import type { WorkerSettings } from "../worker-options.ts";
import type { ConnectingStep } from "./connect-with-retry.ts";
import type { SearchKind } from "./connection-state.ts";
import type { HostConnection } from "./host-connection.ts";
import type { ConnectionServices } from "./host-connection-options.ts";
import type { HostList } from "./host-list.ts";
import type { Outbox, QueuedMessage } from "./outbox.ts";
import type { StatusBoard } from "./worker-status.ts";

/** Messages that wait for a connection. */
export interface OutboundQueue {
  readonly waitingCount: number;
  /** Sends to this connection from now on. Undefined, or held: messages wait. */
  follow(outbox: Outbox | undefined, isHeld: boolean): void;
  /** Takes back messages after a refusal. They leave before all others, in their order. */
  putBack(messages: readonly QueuedMessage[]): void;
}

/** Options of a registration of everything on a connection. */
export interface RegisterOptions {
  readonly kind: SearchKind;
  readonly signal: AbortSignal;
  /** Called when the host refuses for now and the worker asks again later. */
  readonly onWaiting: (step: ConnectingStep) => void;
}

/** A connection that the worker does not leave before `release` is called. */
export interface UsedConnection<Services extends ConnectionServices> {
  readonly connection: HostConnection<Services>;
  readonly release: () => void;
}

export interface ConnectionSupervisorOptions<Services extends ConnectionServices> {
  readonly settings: WorkerSettings;
  readonly counts: WorkerCounters;
  readonly status: StatusBoard;
  readonly queue: OutboundQueue;
  /** Opens a link and the data channel on it. */
  readonly open: (address: string, signal: AbortSignal) => Promise<HostConnection<Services>>;
  /** The addresses of hosts. */
  readonly hosts: HostList;
  /** Registers everything, or asks the host for a sign of life. Resolves when the host itself has answered. */
  readonly register: (connection: HostConnection<Services>, options: RegisterOptions) => Promise<void>;
  /**
   * Resolves when no handler and no call uses this connection, or when the connection has ended. The host sends calls and events for agents
   * to the registrar, and for agents of shared types to the newest connection, too.
   */
  readonly whenIdle: (connection: HostConnection<Services>, isRegistrar: boolean) => Promise<void>;
  /** Called when a connection has become the present one. */
  readonly onCurrent: (connection: HostConnection<Services>) => void;
  /**
   * The host of the present connection leaves, and others are there. Resolves when the worker may join another one: all that this host has
   * sent has begun, or the time is up. Never rejects.
   */
  readonly takeLast: (connection: HostConnection<Services>, timeoutMs: number) => Promise<void>;
  /** Called when a connection has ended: no answer arrives or leaves on it any more. */
  readonly onEnded: (connection: HostConnection<Services>, reason: string) => void;
  /** Returns a signal that aborts when the stop must end without waiting. */
  readonly hurry: () => AbortSignal;
  /** Called when the start has failed, or the worker gives up its host. */
  readonly onGivenUp: (by: "lost" | "start-failed", reason: string) => void;
}
