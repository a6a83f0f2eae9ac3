/** Ids as they stand on the wire: not validated. */
export interface WireAgentId {
  readonly type: string;
  readonly key: string;
}

export interface WirePayload {
  readonly typeName: string;
  readonly contentType: string;
  /** For `application/x-protobuf`: the bytes of a `google.protobuf.Any` (protocol.md §4.1). */
  readonly data: Uint8Array;
}

export type WireMetadata = Readonly<Record<string, string>>;

/** One event, as a CloudEvent carries it (protocol.md §3.1). */
export interface WireEvent {
  readonly id: string;
  readonly topicType: string;
  readonly topicSource: string;
  readonly sender: WireAgentId | undefined;
  readonly payload: WirePayload;
  /** `traceparent`, `tracestate` and others that ride along as text attributes. */
  readonly attributes: WireMetadata;
}

/** A subscription's pattern, of the kinds that travel. */
export type WirePattern =
  | { readonly kind: "type"; readonly topicType: string; readonly agentType: string }
  | { readonly kind: "prefix"; readonly topicTypePrefix: string; readonly agentType: string };

/** Generation 1's registration inside the data channel (protocol.md §1.6). Never sent to a peer that does not speak it. */
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

/** A call on its way to an agent. */
export interface RequestFrame {
  readonly kind: "request";
  readonly requestId: string;
  readonly source: WireAgentId | undefined;
  readonly target: WireAgentId | undefined;
  readonly payload: WirePayload | undefined;
  readonly metadata: WireMetadata;
}

/** An answer on its way to the caller. */
export interface ResponseFrame {
  readonly kind: "response";
  readonly requestId: string;
  readonly payload: WirePayload | undefined;
  /** Empty: no error. */
  readonly error: string;
  readonly metadata: WireMetadata;
}

export interface EventFrame {
  readonly kind: "event";
  readonly event: WireEvent;
}

/** Why nobody waits for an answer any more: the caller's signal, its or the host's time limit, the end of its channel. */
export type CancelReason = "cancelled" | "timed-out" | "caller-gone";

/** Nobody waits for the answer of this call any more. Only between peers that announced themselves (protocol.md §11.2). */
export interface CancelFrame {
  readonly kind: "cancel";
  readonly requestId: string;
  readonly reason: CancelReason;
}

/** The peer will end the channel soon. Only between peers that announced themselves (protocol.md §11.2). */
export interface LeavingFrame {
  readonly kind: "leaving";
  /** Milliseconds for which it still answers; a whole number below 2^32. */
  readonly graceMs: number;
}

/** What one message of the data channel says: the hinge between the wire and the runtimes (protocol.md §1.2). */
export type Frame =
  | RequestFrame
  | ResponseFrame
  | EventFrame
  | LegacyFrame
  | CancelFrame
  | LeavingFrame
  /** No arm of the oneof is set, or one this version does not know: ignored with a warning. */
  | { readonly kind: "empty" };
