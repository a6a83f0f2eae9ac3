import type { Frame } from "../frames/frame.ts";
import type { FrameHead } from "./frame-head.ts";

/** Where the request id stands in a frame: the field with its tag, and its text alone. `count` 0: it is not there (empty). */
export interface RequestIdPlace {
  readonly count: number;
  readonly fieldStart: number;
  readonly textStart: number;
  readonly end: number;
}

export interface PeekedRequest {
  readonly kind: "request";
  /** The whole message; `bodyStart` is where the request's own fields begin (they reach to the end). */
  readonly bytes: Uint8Array;
  readonly bodyStart: number;
  readonly requestId: RequestIdPlace;
  /** Undefined: no target was set. Not validated. */
  readonly targetType: string | undefined;
  readonly targetKey: string;
  /** The caller's own bound, from the metadata key `agtimeoutms` (protocol.md H6). */
  readonly timeoutMs: number | undefined;
}

export interface PeekedResponse {
  readonly kind: "response";
  readonly bytes: Uint8Array;
  readonly bodyStart: number;
  readonly requestId: RequestIdPlace;
  /** Its metadata has the key `agerrordetail`, which only announced peers get (protocol.md §11.3). */
  readonly hasErrorDetail: boolean;
}

export interface PeekedEvent {
  readonly kind: "event";
  readonly bytes: Uint8Array;
  /** `CloudEvent.type`, not validated. */
  readonly topicType: string;
  readonly hasProtoData: boolean;
}

/** What the host needs to know of one message of the data channel. */
export type PeekedFrame =
  | PeekedRequest
  | PeekedResponse
  | PeekedEvent
  | Extract<Frame, { readonly kind: "register-type" | "subscribe" | "ack" | "cancel" | "leaving" | "empty" }>
  /** No protobuf message. `head`: which call it was meant to be or to answer, so that its caller can be told. */
  | { readonly kind: "bad"; readonly reason: string; readonly head: FrameHead | undefined };
