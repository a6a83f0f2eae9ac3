import type { Frame, LeaseNotice, LeavingNotice } from "../frames/frame.ts";

/** Kind and request id of a message, read from its beginning. */
export interface FrameHead {
  /** `chunk`: a part of an answer. */
  readonly kind: "request" | "response" | "chunk";
  readonly requestId: string;
}

/**
 * Position of the request id in a frame: its field with tag, and its text alone. `count` 0: the frame has none (empty
 * id).
 */
export interface RequestIdPlace {
  readonly count: number;
  readonly fieldStart: number;
  readonly textStart: number;
  readonly end: number;
}

/** Routing fields of a call, and the bytes that they stand in. */
export interface PeekedRequest {
  readonly kind: "request";
  /** The whole message. The request's own fields reach from `bodyStart` to the end. */
  readonly bytes: Uint8Array;
  readonly bodyStart: number;
  readonly requestId: RequestIdPlace;
  /** Undefined: no target was set. Not validated. */
  readonly targetType: string | undefined;
  readonly targetKey: string;
  // protocol.md H6
  /** The caller's time limit, from the metadata key `agtimeoutms`. */
  readonly timeoutMs: number | undefined;
  // protocol.md §11.13
  /** Whether the metadata has the key `agpath` or `agdepth`, which only peers that name `turns` get. */
  readonly hasPath: boolean;
  /** The value of `agpath`; empty without one. */
  readonly path: string;
  // protocol.md §11.21
  /** The value of `agstream`, 0 for one that asks for no chunks. Undefined without the key. */
  readonly streamBytes: number | undefined;
  // protocol.md §11.14, §11.16
  /** Whether the metadata has a key that only hosts set: `agepoch`, `agmail`, `agattempt`, `agreminder`, `agtopic` or `agprincipal`. */
  readonly hasHostKeys: boolean;
  // protocol.md §11.16
  /** Whether the metadata has the key `agdelivery`: the host keeps the call. */
  readonly isTold: boolean;
  // protocol.md §11.20
  /** Whether the metadata has the key `agidempotency`. */
  readonly isKeyed: boolean;
}

/** Position of the request id of an answer, and the bytes that it stands in. */
export interface PeekedResponse {
  readonly kind: "response";
  readonly bytes: Uint8Array;
  readonly bodyStart: number;
  readonly requestId: RequestIdPlace;
  // protocol.md §11.3
  /** Whether the metadata has the key `agerrordetail`, `agnothandled`, `agfinal` or `agchunks`, which only announced peers get. */
  readonly hasTroupeKeys: boolean;
  // protocol.md §11.21
  /** The value of `agchunks`; 0 without the key. */
  readonly chunks: number;
}

// protocol.md §11.21
/** Position of the request id of a chunk, and the bytes that it stands in. */
export interface PeekedChunk {
  readonly kind: "chunk";
  readonly bytes: Uint8Array;
  readonly requestId: RequestIdPlace;
  /** Length of the chunk's own data. */
  readonly dataBytes: number;
}

/** Topic type of an event, and the bytes of the event. */
export interface PeekedEvent {
  readonly kind: "event";
  /** The whole message. The event's own fields reach from `bodyStart` to the end. */
  readonly bytes: Uint8Array;
  readonly bodyStart: number;
  /** `CloudEvent.type`, not validated. */
  readonly topicType: string;
  readonly hasProtoData: boolean;
  // protocol.md §11.18
  /** Whether it has the attribute `agdelivery`: the host keeps the event for the agents with a durable subscription. */
  readonly isDurable: boolean;
}

/** Routing fields of one message of the data channel, as the host needs them. */
export type PeekedFrame =
  | PeekedRequest
  | PeekedResponse
  | PeekedEvent
  | PeekedChunk
  | Extract<
      Frame,
      {
        readonly kind:
          | "register-type"
          | "subscribe"
          | "ack"
          | "cancel"
          | "leaving"
          | "stuck"
          | "unstuck"
          | "credit"
          | "heartbeat"
          | "empty";
      }
    >
  | LeavingNotice
  | LeaseNotice
  /**
   * The bytes are not a protobuf message. `head` names the call that they belong to, so that its caller can get an
   * error.
   */
  | { readonly kind: "bad"; readonly reason: string; readonly head: FrameHead | undefined };
