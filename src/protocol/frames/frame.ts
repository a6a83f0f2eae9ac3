import type { Epoch } from "../../core/internal.ts";

/** An agent id as it arrives: not validated. */
export interface WireAgentId {
  readonly type: string;
  readonly key: string;
}

/** Body of a call, an answer or an event: the name of its type, its content type and its bytes. */
export interface WirePayload {
  readonly typeName: string;
  readonly contentType: string;
  // protocol.md §4.1
  /** For `application/x-protobuf`: the bytes of a `google.protobuf.Any`. */
  readonly data: Uint8Array;
}

/** Metadata of a frame: texts by key. */
export type WireMetadata = Readonly<Record<string, string>>;

// protocol.md §3.1
/** One event, as a CloudEvent carries it. */
export interface WireEvent {
  readonly id: string;
  readonly topicType: string;
  readonly topicSource: string;
  readonly sender: WireAgentId | undefined;
  readonly payload: WirePayload;
  /** Further text attributes, such as `traceparent` and `tracestate`. */
  readonly attributes: WireMetadata;
}

/** The pattern of a subscription. */
export type WirePattern =
  | { readonly kind: "type"; readonly topicType: string; readonly agentType: string }
  | { readonly kind: "prefix"; readonly topicTypePrefix: string; readonly agentType: string };

// protocol.md §1.6
/** Generation 1's registration inside the data channel. Peers of later generations never get it. */
export type LegacyFrame =
  | { readonly kind: "register-type"; readonly requestId: string; readonly agentType: string }
  | { readonly kind: "subscribe"; readonly requestId: string; readonly pattern: WirePattern | undefined }
  | {
      readonly kind: "ack";
      readonly of: "register-type" | "subscribe";
      readonly requestId: string;
      readonly success: boolean;
      readonly error: string | undefined;
    };

/** A call to an agent. */
export interface RequestFrame {
  readonly kind: "request";
  readonly requestId: string;
  readonly source: WireAgentId | undefined;
  readonly target: WireAgentId | undefined;
  readonly payload: WirePayload | undefined;
  readonly metadata: WireMetadata;
}

/** The answer to a call. */
export interface ResponseFrame {
  readonly kind: "response";
  readonly requestId: string;
  readonly payload: WirePayload | undefined;
  /** Empty: no error. */
  readonly error: string;
  readonly metadata: WireMetadata;
}

/** A published event. */
export interface EventFrame {
  readonly kind: "event";
  readonly event: WireEvent;
}

/**
 * Reason of a cancel notice: the caller's signal, the time limit of the caller or the host, or the end of the caller's
 * channel.
 */
export type CancelReason = "cancelled" | "timed-out" | "caller-gone" | "withdrawn";

// protocol.md §11.2
/** Notice that the caller no longer waits for the answer of a call. Sent to announced peers only. */
export interface CancelFrame {
  readonly kind: "cancel";
  readonly requestId: string;
  readonly reason: CancelReason;
}

// protocol.md §11.2
/** Notice that the peer will end the channel. Sent to announced peers only. */
export interface LeavingFrame {
  readonly kind: "leaving";
  /** Milliseconds during which the peer still answers; a whole number below 2^32. */
  readonly graceMs: number;
  /** Other hosts of the cluster, the best first: at most 64. Left out by workers, and by hosts without a cluster. */
  readonly addresses?: readonly string[] | undefined;
}

// protocol.md §11.13
/** Tells the host that a call has waited long for its turn. Sent only to a host that names `turns`. */
export interface StuckFrame {
  readonly kind: "stuck";
  /** The host's id of the call. */
  readonly requestId: string;
  /** The turns that wait for the call, in the form of the metadata `agpath`. */
  readonly path: string;
  /** The tokens of the running turns for which the call waits. */
  readonly behind: readonly string[];
}

// protocol.md §11.13
/** Tells the host that the call does not wait any more for the turns that were reported last. */
export interface UnstuckFrame {
  readonly kind: "unstuck";
  readonly requestId: string;
}

// protocol.md §11.17
/** An agent of a shared type, under the epoch of its claim. */
export interface ClaimedAgent extends WireAgentId {
  readonly epoch: Epoch;
}

/**
 * Reason for which an agent leaves its worker. `idle`, `capacity`: the worker wants to free it. `asked`: someone has asked for its
 * deactivation. `failed`, `stale`: its activation is worth nothing. `draining`: the worker stops.
 */
export type LeaveReason = "idle" | "capacity" | "asked" | "failed" | "stale" | "draining";

/**
 * Reason for which a worker gives a message back. `leaving`: no handler has begun it. `conflict`: what its handler did was undone, since
 * another has written the state. `unfit`: the state is of a newer version than the worker knows. `too-old`, `no-lease`: for clusters.
 */
export type ReturnReason = "leaving" | "conflict" | "unfit" | "too-old" | "no-lease";

/** Tells a worker that no further message comes under these claims. Without agents: it holds no claim any more. */
export interface LeaveFrame {
  readonly kind: "leave";
  /** At most 1,000, as in every notice that lists agents. */
  readonly agents: readonly ClaimedAgent[];
  readonly reason: LeaveReason;
  /** Milliseconds that the host waits for them; 0: any time. A whole number below 2^32. */
  readonly graceMs: number;
}

/** Asks the host to let agents go. */
export interface AskLeaveFrame {
  readonly kind: "ask-leave";
  readonly agents: readonly ClaimedAgent[];
  readonly reason: LeaveReason;
}

/** Gives a message back to the host, which places it anew. */
export interface ReturnedFrame {
  readonly kind: "returned";
  /** The target of a call; of an event, those of its agents that have not got it. */
  readonly agents: readonly ClaimedAgent[];
  readonly reason: ReturnReason;
  /** The whole message of the data channel, as it came. */
  readonly message: Uint8Array;
}

/** Tells the host that the activations of these agents have ended. */
export interface LeftFrame {
  readonly kind: "left";
  readonly agents: readonly ClaimedAgent[];
}

/** Tells the host that these agents are not idle any more, and do not leave. */
export interface StayFrame {
  readonly kind: "stay";
  readonly agents: readonly ClaimedAgent[];
}

/** Tells the host that the worker stops, so that its agents of shared types leave. */
export interface LeavingWorkerFrame {
  readonly kind: "leaving-worker";
  /** Milliseconds that its agents have; 0: as many as the host gives. A whole number below 2^32. */
  readonly graceMs: number;
}

/** Tells a worker that an operator wants it to stop. */
export interface DrainFrame {
  readonly kind: "drain";
  /** Milliseconds that its agents have; a whole number below 2^32. */
  readonly graceMs: number;
}

/** Notices by which agents of shared types leave their workers. Only peers that both name `claims` send them. */
export type LeavingNotice =
  | LeaveFrame
  | AskLeaveFrame
  | ReturnedFrame
  | LeftFrame
  | StayFrame
  | LeavingWorkerFrame
  | DrainFrame;

// protocol.md §11.19
/** Tells a host which agents of shared types the worker has kept from its connections before this one. */
export interface HoldsFrame {
  readonly kind: "holds";
  /** At most 1,000, as in every notice that lists agents. */
  readonly agents: readonly ClaimedAgent[];
}

/** Tells a worker that no host serves its worker id any more. */
export interface VoidFrame {
  readonly kind: "void";
}

/** Tells a worker to which hosts of the cluster it may connect. */
export interface HostsFrame {
  readonly kind: "hosts";
  /** At most 64, each of at most 512 characters. */
  readonly addresses: readonly string[];
}

/** Tells a host that the worker goes to another host, so that the host sends it no more messages. */
export interface MovingFrame {
  readonly kind: "moving";
}

/** Tells a worker that no message follows on the data channel. */
export interface LastFrame {
  readonly kind: "last";
}

/** Notices between a worker and a host of a cluster. Only peers that both name `lease` send them. */
export type LeaseNotice = HoldsFrame | VoidFrame | HostsFrame | MovingFrame | LastFrame;

// protocol.md §11.12
/** Keeps a quiet stream open: proxies end streams that carry nothing. Only peers that both name `heartbeat` send it. */
export interface HeartbeatFrame {
  readonly kind: "heartbeat";
  /** The asker's number, which the answer repeats; a whole number below 2^32, as is `leaseMs`. */
  readonly seq: number;
  /** True: the host answers. False: the worker asks. */
  readonly isAnswer: boolean;
  /** Milliseconds for which a host of a cluster lets the worker begin turns; 0: it says nothing of that. */
  readonly leaseMs: number;
}

// protocol.md §11.21
/** A part of the answer to a call. Sent only for a call with the metadata `agstream`, and to a peer that names `streams`. */
export interface ChunkFrame {
  readonly kind: "chunk";
  readonly requestId: string;
  /** 0, 1, 2 … within the call. */
  readonly offset: number;
  /** Empty: as the chunk before. The same holds for the content type. */
  readonly typeName: string;
  readonly contentType: string;
  readonly data: Uint8Array;
}

// protocol.md §11.21
/** Lets the sender of chunks go on. Sent only to a peer that names `streams`. */
export interface CreditFrame {
  readonly kind: "credit";
  readonly requestId: string;
  /** Bytes that were granted since the call began. */
  readonly bytes: number;
}

// protocol.md §1.2
/** Decoded content of one message of the data channel. Codecs and runtimes meet in this type. */
export type Frame =
  | RequestFrame
  | ResponseFrame
  | EventFrame
  | LegacyFrame
  | CancelFrame
  | LeavingFrame
  | StuckFrame
  | UnstuckFrame
  | ChunkFrame
  | CreditFrame
  | HeartbeatFrame
  | LeavingNotice
  | LeaseNotice
  /** No arm of the oneof is set, or an unknown one. Receivers ignore it with a warning. */
  | { readonly kind: "empty" };
