import type { Epoch } from "../../core/internal.ts";
import type { HostCaller } from "../peers/host-caller.ts";
import type { Peer } from "../sessions/peer.ts";
import type { MovingAgent } from "./moving-agent.ts";

/** The outcome of the search for an agent's worker, while the agent does not move. */
export type Placed =
  /**
   * `epoch`: of the agent's claim; undefined for a worker that knows nothing of claims, and for one of another host. `gate`: the message is the
   * first on a route to another host, and the gate waits for what becomes of it.
   */
  Found | Expected | Elsewhere | Nowhere;

export interface Found {
  readonly at: "found";
  readonly peer: Peer;
  readonly epoch: Epoch | undefined;
  readonly gate?: MovingAgent | undefined;
}

/** An owner has registered the type, and its channel is still to come. */
export interface Expected {
  readonly at: "expected";
  readonly clientId: string;
}

// protocol.md §12.8
/** The message of another host goes back there. `heldBy`: the id of the worker that has the agent, if that is known. */
export interface Elsewhere {
  readonly at: "elsewhere";
  readonly heldBy: string | undefined;
  readonly reason: string;
}

// protocol.md §12.8
/** Where a message of another host comes from. It goes to the worker that it names, or back. */
export interface MessageOrigin {
  /** The other host. */
  readonly host: HostCaller;
  /** The channel that the message names. */
  readonly channel: Peer;
  /** Whether the other host waits for the word that the message was handed over. */
  isFirst: boolean;
  /** Of an event: its number at the other host. */
  readonly number: number;
}

/** The part of a call that another host says beside its frame. */
export interface CallOfHost extends Pick<MessageOrigin, "channel" | "isFirst"> {
  // protocol.md §11.20
  /** The name of the principal that calls. Undefined: an anonymous caller. */
  readonly principal: string | undefined;
}

export interface Nowhere {
  readonly at: "nowhere";
  readonly code: "undeliverable" | "overloaded" | "shutting-down" | "state-too-new";
  readonly reason: string;
}

// protocol.md §11.17
/** The agent leaves its worker: messages wait, but for calls that its running turns wait for. Those go to `holder`. */
export interface Moving {
  readonly at: "moving";
  readonly agent: MovingAgent;
  /** Undefined: it has left. */
  readonly holder: Found | undefined;
}

/** The outcome of the search for an agent's worker. */
export type Located = Placed | Moving;

/** The search for one agent: its cause, and its cost. */
export interface Seeker {
  /** The worker whose message it is. */
  readonly caller: Peer | undefined;
  /** The claim counts with the share of this client. Undefined: with that of the worker that gets the agent. */
  readonly payer: Pick<Peer, "account"> | undefined;
}
