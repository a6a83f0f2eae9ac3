// What other rooms and tests use of this room. index.ts holds what users use.
export { announcement, isAnnounced } from "./announcement.ts";
export { timeoutMetadata, timeoutOf } from "./call-timeout.ts";
export { fromWireError, toWireError } from "./errors/wire-error.ts";
export type {
  CancelFrame,
  CancelReason,
  Frame,
  LeavingFrame,
  RequestFrame,
  ResponseFrame,
  WireAgentId,
  WireEvent,
  WireMetadata,
  WirePattern,
} from "./frames/frame.ts";
export { decodeFrame, encodeFrame } from "./frames/frame-codec.ts";
export { isVoidPayload } from "./frames/payload.ts";
export { encodeGetSubscriptionsResponse } from "./registration/subscription-list.ts";
export type { WireSubscription } from "./registration/unary.ts";
export {
  decodeAddSubscriptionRequest,
  decodeAgentId,
  decodeGetSubscriptionsResponse,
  decodeRegisterAgentRequest,
  decodeRemoveSubscriptionRequest,
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeAgentId,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
} from "./registration/unary.ts";
export { isSamePattern } from "./registration/wire-pattern.ts";
export type { FrameHead } from "./routing/frame-head.ts";
export { readFrameHead } from "./routing/frame-head.ts";
export { peekFrame } from "./routing/frame-peek.ts";
export type { PeekedEvent, PeekedRequest, PeekedResponse } from "./routing/peeked-frame.ts";
export { requestIdBytes, requestIdText, spliceRequestId } from "./routing/request-id.ts";
export type { FrameBytes } from "./routing/spliced-frame.ts";
export { joinFrame } from "./routing/spliced-frame.ts";
export { parseControlDestination } from "./state/control-destination.ts";
export type { GetStateAnswer, SaveStateAnswer, StoredData, StoredState } from "./state/stored-state.ts";
export {
  decodeGetStateAnswer,
  decodeSaveStateAnswer,
  decodeStoredState,
  encodeGetStateAnswer,
  encodeSaveStateAnswer,
  encodeStoredState,
} from "./state/stored-state.ts";
export type { ControlAnswer, ControlBody, ControlEnvelope, ControlRequest } from "./state/wire-state.ts";
export {
  agentDestination,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  encodeControl,
  isControlRequest,
} from "./state/wire-state.ts";
export { fromWireAgentId, fromWireSender, fromWireTopic, toWireAgentId } from "./wire-ids.ts";
export { anyPrefix, clientIdKey, metadataKey, method, serviceName, signals } from "./wire-names.ts";
