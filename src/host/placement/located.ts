import type { Epoch } from "../../core/internal.ts";
import type { Peer } from "../sessions/peer.ts";
import type { MovingAgent } from "./moving-agent.ts";

/** The outcome of the search for an agent's worker, while the agent does not move. */
export type Placed =
  /** `epoch`: of the agent's claim; undefined for a worker that knows nothing of claims. */
  | { readonly at: "found"; readonly peer: Peer; readonly epoch: Epoch | undefined }
  /** An owner has registered the type, and its channel is still to come. */
  | { readonly at: "expected"; readonly clientId: string }
  | Nowhere;

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
  readonly holder: Extract<Placed, { readonly at: "found" }> | undefined;
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
