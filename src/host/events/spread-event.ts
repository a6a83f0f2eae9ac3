import type { ErrorCode, Mail } from "../../core/internal.ts";
import type { PeekedEvent } from "../../protocol/internal.ts";
import type { Peer } from "../sessions/peer.ts";

// protocol.md §11.18
/** A durable event, and where it goes. */
export interface SpreadEvent {
  /** A message for the mailbox of each agent with a durable subscription. */
  readonly mail: readonly Mail[];
  /** The types of these agents. The others get `rest`, as any event. */
  readonly except: ReadonlySet<string>;
  readonly rest: PeekedEvent;
}

/** The reason why the events of a commit can't be kept. */
export interface SpreadRefusal {
  readonly code: ErrorCode;
  readonly text: string;
}

/** The durable events of a commit. */
export interface SpreadEvents {
  readonly events: readonly SpreadEvent[];
  /** Bytes of their messages. The account of the worker has them until the caller releases them. */
  readonly bytes: number;
}

/** Finds the agents that keep the events of commits. */
export interface EventSpreader {
  /** Whether the host keeps an event of this worker. */
  isKept(from: Peer, event: PeekedEvent): boolean;
  /** Rejects as the state store does. Resolves to the messages, or to the reason why the events can't be kept. */
  spreadAll(from: Peer, events: readonly PeekedEvent[]): Promise<SpreadEvents | SpreadRefusal>;
  /** Sends an event that is written to those for whom it is not kept. Returns how many workers it was for. */
  routeRest(from: Peer, event: SpreadEvent): number;
}
