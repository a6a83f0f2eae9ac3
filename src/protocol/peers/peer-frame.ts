import type { Capability } from "../capabilities.ts";
import type { WireMetadata, WirePattern } from "../frames/frame.ts";
import type { WorkerIdentity } from "../registration/sharing.ts";

// protocol.md §12
/** The host at one end of a link, as its first frame says. */
export interface PeerHello {
  readonly kind: "hello";
  readonly cluster: string;
  readonly hostId: string;
  /** Versions of the protocol between hosts that it speaks. */
  readonly oldest: number;
  readonly newest: number;
  readonly features: ReadonlySet<Capability>;
}

/** A call for the worker in a slot. `frame` may be a view into a larger buffer. */
export interface PeerCall {
  readonly kind: "call";
  readonly slot: number;
  /** The first message on a route to an agent of a shared type: the other host says `taken` when it has handed it over. */
  readonly isFirst: boolean;
  // protocol.md §11.20
  /** The name of the principal that calls. Undefined: an anonymous caller. */
  readonly principal: string | undefined;
  readonly frame: Uint8Array;
}

/** The receivers of an event at another host. */
export interface PeerEventTarget {
  /** The slot of a worker that has agents of these shared types. 0: the types are exclusive. */
  readonly slot: number;
  readonly types: readonly string[];
}

/** An event for workers of another host. `frame` may be a view into a larger buffer. */
export interface PeerEvent {
  readonly kind: "event";
  /** Not 0: the first message on a route to its agent. */
  readonly number: number;
  readonly targets: readonly PeerEventTarget[];
  readonly frame: Uint8Array;
}

/** A call by the asker's request id, or an event by its number. */
export type PeerMessageName = { readonly requestId: string } | { readonly event: number };

/** A call or event that was handed to no worker comes back to the host that has asked. */
export interface PeerBounce {
  readonly kind: "bounce";
  readonly what: PeerMessageName;
  /** Of an event: the types of its agents that did not get it. */
  readonly types: readonly string[];
  /** For people. */
  readonly reason: string;
  /** The id of the worker that has the agent. Undefined: it is not known. */
  readonly heldBy: string | undefined;
  readonly frame: Uint8Array;
}

/** The first message on a route was handed over. */
export interface PeerTaken {
  readonly kind: "taken";
  readonly what: PeerMessageName;
}

/** Asks for all messages for an agent that were not handed over to the worker in a slot. */
export interface PeerFlush {
  readonly kind: "flush";
  readonly number: number;
  readonly slot: number;
  readonly agentType: string;
  readonly key: string;
}

/** A worker has a data channel at the host that says so. */
export interface WorkerHere {
  readonly kind: "here";
  /** Names the channel; never used again on that host. */
  readonly slot: number;
  /** The number of the worker's connection: of two channels of one worker the one with the higher number counts. */
  readonly session: number;
  readonly clientId: string;
  readonly isAnnounced: boolean;
  readonly worker: WorkerIdentity;
  readonly capabilities: ReadonlySet<Capability>;
  /** It gets no new agents of shared types. Of a known slot, this is all that may change. */
  readonly isDraining: boolean;
}

/** A subscription begins or ceases to matter at the host that says so. */
export interface PeerInterest {
  readonly kind: "interest";
  readonly begins: boolean;
  readonly pattern: WirePattern;
}

/** The load of a worker, as its host tells it. */
export interface WorkerLoad {
  /** Agents of shared types that the worker has, and calls that it has not answered. */
  readonly agents: number;
  readonly calls: number;
}

/** The loads of workers at the host that says so, by their slots: of those that have changed. */
export interface PeerLoad {
  readonly kind: "load";
  readonly workers: readonly (WorkerLoad & { readonly slot: number })[];
}

/** A unary call of `agents.AgentRpc` that another host answers, or one of an operator's. */
export interface PeerUnary {
  readonly kind: "unary";
  readonly number: number;
  readonly method: string;
  readonly clientId: string;
  /** The name of the caller's principal; undefined: anonymous. */
  readonly principal: string | undefined;
  readonly request: Uint8Array;
  readonly metadata: WireMetadata;
}

export interface PeerUnaryAnswer {
  readonly kind: "unary-answer";
  readonly number: number;
  /** A gRPC status; 0: OK. */
  readonly code: number;
  readonly details: string;
  readonly answer: Uint8Array;
  readonly metadata: WireMetadata;
}

/** A frame on a link that carries no message of a worker to its target; such frames are seldom. */
export type RarePeerFrame =
  | PeerHello
  | { readonly kind: "notice"; readonly notice: Uint8Array }
  /** A call waits long for its turn, or no more: `stuck` or `unstuck`, for the host that searches for rings. */
  | { readonly kind: "waiting"; readonly notice: Uint8Array }
  | PeerBounce
  | PeerTaken
  | PeerFlush
  | { readonly kind: "flushed"; readonly number: number }
  | WorkerHere
  | { readonly kind: "away"; readonly slot: number }
  | PeerInterest
  | PeerLoad
  | { readonly kind: "barrier" | "barrier-read"; readonly number: number }
  | { readonly kind: "control"; readonly envelope: Uint8Array }
  | PeerUnary
  | PeerUnaryAnswer;

/** A frame on a link between two hosts. */
export type PeerFrame =
  | RarePeerFrame
  | PeerCall
  | { readonly kind: "answer"; readonly frame: Uint8Array }
  | PeerEvent
  /** Of a later version: ignored. */
  | { readonly kind: "empty" };
