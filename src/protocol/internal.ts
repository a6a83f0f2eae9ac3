export { announcement, isAnnounced } from "./announcement.ts";
export { timeoutMetadata, timeoutOf } from "./call-timeout.ts";
export type { WireError } from "./errors/wire-error.ts";
export { fromWireError, toWireError } from "./errors/wire-error.ts";
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
} from "./frames/frame.ts";
export { decodeFrame, encodeFrame } from "./frames/frame-codec.ts";
export { bareContentType, isVoidPayload, noneTypeName } from "./frames/payload.ts";
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
export { peekFrame, withoutErrorDetail } from "./routing/frame-peek.ts";
export type { PeekedEvent, PeekedFrame, PeekedRequest, PeekedResponse } from "./routing/peeked-frame.ts";
export { asciiBytes, requestIdBytes, requestIdText, spliceRequestId, withRequestId } from "./routing/request-id.ts";
export type { FrameBytes, SplicedFrame } from "./routing/spliced-frame.ts";
export { joinFrame } from "./routing/spliced-frame.ts";
export type { ControlDestination } from "./state/control-destination.ts";
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
