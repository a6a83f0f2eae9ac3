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
  readonly frame: Uint8Array;
}

/** An event for the workers that serve these exclusive types. */
export interface PeerEvent {
  readonly kind: "event";
  readonly types: readonly string[];
  readonly frame: Uint8Array;
}

/** A call that was handed to no worker comes back to the host that has asked. */
export interface PeerBounce {
  readonly kind: "bounce";
  readonly requestId: string;
  /** For people. */
  readonly reason: string;
  readonly frame: Uint8Array;
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
}

/** A subscription begins or ceases to matter at the host that says so. */
export interface PeerInterest {
  readonly kind: "interest";
  readonly begins: boolean;
  readonly pattern: WirePattern;
}

/** A unary call of `agents.AgentRpc` that another host answers. */
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
  | PeerBounce
  | WorkerHere
  | { readonly kind: "away"; readonly slot: number }
  | PeerInterest
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
