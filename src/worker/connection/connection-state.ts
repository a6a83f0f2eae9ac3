import { UndeliverableException } from "../../core/internal.ts";
import type { ConnectingStep } from "./connect-with-retry.ts";
import type { HostConnection } from "./host-connection.ts";
import type { ConnectionServices } from "./host-connection-options.ts";
import type { Outbox } from "./outbox.ts";
import type { WorkerStatus } from "./worker-status.ts";

/**
 * The cause of a search. `start`: the worker starts. `return`: it lost its host. `move`: its host is leaving. `farewell`: a worker
 * that stops has messages to send.
 */
export type SearchKind = "start" | "return" | "move" | "farewell";

/** A series of attempts to connect. */
export interface Search<Services extends ConnectionServices> {
  readonly kind: SearchKind;
  /** Reason of the search, for people. */
  readonly reason: string;
  /** Cancels the search. */
  readonly abort: AbortController;
  /** An older connection under whose client id the host still knows the registrations. */
  readonly registrar: HostConnection<Services> | undefined;
  /** Resolves when a connection is found; rejects when the search fails or is cancelled. Undefined until the search begins. */
  found: Promise<void> | undefined;
}

/** The cause of a new search. */
export interface Cause<Services extends ConnectionServices> {
  readonly kind: SearchKind;
  readonly reason: string;
  readonly registrar?: HostConnection<Services> | undefined;
  /** The host that is leaving, and the time for which it stays. Without another host the worker waits for its end. */
  readonly leaving?: LeavingHost<Services>;
}

/** The connection to a host that leaves, and the time for which it stays. */
export interface LeavingHost<Services extends ConnectionServices> {
  readonly connection: HostConnection<Services>;
  readonly graceMs: number;
}

/** A new connection, and the one under whose client id the host knows the registrations. */
export interface Found<Services extends ConnectionServices> {
  readonly connection: HostConnection<Services>;
  readonly registrar: HostConnection<Services>;
}

/** Background work of an open connection. */
export interface Background {
  readonly abort: AbortController;
  /** Resolves when the work is done or has failed; never rejects. */
  done: Promise<void>;
}

/*
 * The state machine of a worker and its host. Rows are states and columns are occurrences. A cell has the next state and the
 * action; "–" means that the occurrence can't happen or changes nothing.
 *
 * ```text
 *              | start      | host answers  | attempt fails     | host refuses, is lost | host says leaving | link leaves (GOAWAY)   | stop              | stopped
 * idle         | connecting | –             | –                 | –                     | –                 | –                      | error             | –
 * connecting   | error      | registering ¹ | connecting, wait; | –                     | –                 | –                      | draining: ends    | –
 *              |            |               | too many: closed  |                       |                   |                        | the search        |
 * registering  | error      | connected     | connecting, wait; | connecting, wait      | –                 | connecting: tries again| draining: ends    | –
 *              |            |               | too many: closed  |                       |                   | at once, twice at most | the search        |
 * connected    | error      | –             | –                 | connecting ²; what was| connecting: the   | connected: opens a new | draining: keeps   | –
 *              |            |               |                   | refused is queued     | connection leaves | connection, then that ³| the connection    |
 * draining     | error      | draining ⁴    | draining          | draining ⁴            | –                 | –                      | the same stop     | closed
 * closed       | connecting | –             | –                 | –                     | –                 | –                      | lost: draining    | –
 * ```
 * ¹ The link and the data channel are open. Nothing shows yet that a host is at the other end.
 * ² With `reconnect: false`, or after `maxAttempts` refusals in a row: closed.
 * ³ The old connection lives beside the state until nothing runs on it. It carries the answers of its calls. The host still
 *   reaches the agents there, because it knows them by the old client id. Then the worker leaves it and registers anew. A GOAWAY
 *   meanwhile begins a further renewal; the registration continues on its link.
 * ⁴ While messages wait to be sent, the worker searches once more, for a connection on which it registers nothing.
 *
 * `status()` (`statusOf`) and the send queue (`outboxOf`) follow the state.
 */
export type ConnectionState<Services extends ConnectionServices> =
  /** Never started. */
  | { readonly at: "idle" }
  /** The worker has no connection and searches for one. `step` is the last step: an attempt, or the wait before it. */
  | { readonly at: "connecting"; readonly search: Search<Services>; readonly step: ConnectingStep }
  /** A data channel is open. The worker registers, or asks the host for a sign of life; no answer has come yet. */
  | {
      readonly at: "registering";
      readonly search: Search<Services>;
      readonly step: ConnectingStep;
      readonly connection: HostConnection<Services>;
    }
  /** The host has answered and knows all registrations. */
  | {
      readonly at: "connected";
      readonly connection: HostConnection<Services>;
      /** The connection under whose client id the host knows the registrations. An older one, as long as it runs. */
      readonly registrar: HostConnection<Services>;
      readonly sinceMs: number;
      /** Opens a new connection, because the link of this one takes no new calls. */
      readonly renewal: Background | undefined;
      /** Messages wait for the short end of a renewal, so that none on the new connection overtakes one on this. */
      readonly isHeld: boolean;
      /** Leaves the former registrar, if it has not ended, and registers everything on the present one. */
      readonly handover: Background | undefined;
    }
  /** The worker stops: it lets handlers finish and sends queued messages. */
  | {
      readonly at: "draining";
      /** Undefined without a connection. */
      readonly connection: HostConnection<Services> | undefined;
      /** Searches for a host that takes the last messages. */
      readonly search: Search<Services> | undefined;
      readonly done: Promise<void>;
    }
  /** The end of a run, or of a start that failed. */
  | { readonly at: "closed"; readonly by: "stopped" | "lost" | "start-failed"; readonly reason: string };

/** Returns the status that `status()` shows for a state. */
export function statusOf<Services extends ConnectionServices>(state: ConnectionState<Services>): WorkerStatus {
  switch (state.at) {
    case "idle":
      return { at: "idle" };
    case "connecting":
    case "registering":
      return state.step;
    case "connected":
      return { at: "connected", address: state.connection.address, clientId: state.connection.clientId };
    case "draining":
      return { at: "draining" };
    case "closed":
      return { at: "closed", reason: state.reason };
  }
}

/** Returns the outbox to which the send queue sends in a state. Undefined: messages wait. */
export function outboxOf<Services extends ConnectionServices>(state: ConnectionState<Services>): Outbox | undefined {
  switch (state.at) {
    case "idle":
    case "connecting":
    case "closed":
      return undefined;
    case "registering":
      // Handlers of the first messages may send already. After a loss, queued messages must not overtake the registrations.
      return state.search.kind === "start" && state.connection.isAccepted ? state.connection.outbox : undefined;
    case "connected":
      return state.connection.outbox;
    case "draining":
      return state.connection?.outbox;
  }
}

/** Whether messages wait although there is an outbox. */
export function isHeldIn<Services extends ConnectionServices>(state: ConnectionState<Services>): boolean {
  return state.at === "connected" && state.isHeld;
}

/** Whether two states show the same status. */
export function isSameStatus(one: WorkerStatus, other: WorkerStatus): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Returns the promise that a registration waits for in a state. */
export function pendingOf<Services extends ConnectionServices>(
  state: ConnectionState<Services>,
): Promise<unknown> | undefined {
  switch (state.at) {
    case "connecting":
    case "registering":
      return state.search.found;
    case "connected":
      return state.renewal?.done ?? state.handover?.done;
    case "idle":
    case "draining":
    case "closed":
      return undefined;
  }
}

/** Whether the host of a new connection knows the registrations of an older, open one. */
export function isRegistrarOf<Services extends ConnectionServices>(
  older: HostConnection<Services> | undefined,
  connection: HostConnection<Services>,
): boolean {
  return older?.isOpen === true && older.address === connection.address;
}

/** Cancels the background work of a connection. */
export function endBackground<Services extends ConnectionServices>(
  { renewal, handover }: Extract<ConnectionState<Services>, { readonly at: "connected" }>,
  reason: string,
): void {
  const error = new UndeliverableException(reason, { code: "disconnected" });
  renewal?.abort.abort(error);
  handover?.abort.abort(error);
}
