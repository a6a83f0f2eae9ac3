export { announcement, isAnnounced } from "./announcement.ts";
export { timeoutMetadata, timeoutOf } from "./call-timeout.ts";
export type { ControlDestination } from "./control-destination.ts";
export { parseControlDestination } from "./control-destination.ts";
export type {
  CancelFrame,
  CancelReason,
  EventFrame,
  Frame,
  LeavingFrame,
  RequestFrame,
  ResponseFrame,
  WireAgentId,
  WireEvent,
  WireMetadata,
  WirePattern,
  WirePayload,
} from "./frame.ts";
export { decodeFrame, encodeFrame } from "./frame-codec.ts";
export type { FrameHead } from "./frame-head.ts";
export { readFrameHead } from "./frame-head.ts";
export { peekFrame } from "./frame-peek.ts";
export { bareContentType, isVoidPayload, noneTypeName } from "./payload.ts";
export type { PeekedEvent, PeekedFrame, PeekedRequest, PeekedResponse } from "./peeked-frame.ts";
export { asciiBytes, requestIdBytes, requestIdText, spliceRequestId, withRequestId } from "./request-id.ts";
export type { FrameBytes, SplicedFrame } from "./spliced-frame.ts";
export { joinFrame } from "./spliced-frame.ts";
export type { GetStateAnswer, SaveStateAnswer, StoredData, StoredState } from "./stored-state.ts";
export {
  decodeGetStateAnswer,
  decodeSaveStateAnswer,
  decodeStoredState,
  encodeGetStateAnswer,
  encodeSaveStateAnswer,
  encodeStoredState,
} from "./stored-state.ts";
export { encodeGetSubscriptionsResponse } from "./subscription-list.ts";
export type { WireSubscription } from "./unary.ts";
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
} from "./unary.ts";
export type { WireError } from "./wire-error.ts";
export { fromWireError, toWireError } from "./wire-error.ts";
export { fromWireAgentId, fromWireSender, fromWireTopic, toWireAgentId } from "./wire-ids.ts";
export {
  anyPrefix,
  attribute,
  clientIdKey,
  eventSpecVersion,
  metadataKey,
  method,
  publishKind,
  serviceName,
  signals,
  unknownSender,
} from "./wire-names.ts";
export { isSamePattern } from "./wire-pattern.ts";
export type { ControlAnswer, ControlBody, ControlEnvelope, ControlRequest } from "./wire-state.ts";
export {
  agentDestination,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  encodeControl,
  isControlRequest,
} from "./wire-state.ts";
