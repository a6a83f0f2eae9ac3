/**
 * Reads and writes what AutoGen's worker protocol puts on the wire. Agents, workers and hosts do not need it. It is for
 * programs that speak the protocol themselves: a test peer, a relay, a load generator, a transport.
 *
 * @example
 * ```ts
 * import { decodeFrame, encodeFrame } from "troupe/protocol";
 *
 * const bytes = encodeFrame({ kind: "response", requestId: "1", payload: undefined, error: "busy", metadata: {} });
 * const frame = decodeFrame(bytes);
 * ```
 *
 * @packageDocumentation
 */

export { encodeFrame } from "./frames/checked-frame.ts";
export type {
  AskLeaveFrame,
  CancelFrame,
  CancelReason,
  ChunkFrame,
  ClaimedAgent,
  CreditFrame,
  DrainFrame,
  EventFrame,
  Frame,
  HeartbeatFrame,
  HoldsFrame,
  HostsFrame,
  LastFrame,
  LeaseNotice,
  LeaveFrame,
  LeaveReason,
  LeavingFrame,
  LeavingNotice,
  LeavingWorkerFrame,
  LeftFrame,
  LegacyFrame,
  MovingFrame,
  RequestFrame,
  ResponseFrame,
  ReturnedFrame,
  ReturnReason,
  StayFrame,
  StuckFrame,
  UnstuckFrame,
  VoidFrame,
  WireAgentId,
  WireEvent,
  WireMetadata,
  WirePattern,
  WirePayload,
} from "./frames/frame.ts";
export { decodeFrame } from "./frames/frame-codec.ts";
export type { WireSubscription } from "./registration/unary.ts";
export {
  decodeAddSubscriptionRequest,
  decodeGetSubscriptionsResponse,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeGetSubscriptionsResponse,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
} from "./registration/unary.ts";
export { peekFrame } from "./routing/frame-peek.ts";
export type {
  FrameHead,
  PeekedChunk,
  PeekedEvent,
  PeekedFrame,
  PeekedRequest,
  PeekedResponse,
  RequestIdPlace,
} from "./routing/peeked-frame.ts";
export type { FrameBytes, SplicedFrame } from "./routing/request-id.ts";
export { asciiBytes, requestIdBytes, requestIdText, withRequestId } from "./routing/request-id.ts";
export type { GetStateAnswer, SaveStateAnswer, StoredData, StoredState } from "./state/stored-state.ts";
export { clientIdKey, metadataKey, method, serviceName } from "./wire-names.ts";
