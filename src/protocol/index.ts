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
export { announcement, isAnnounced, timeoutMetadata, timeoutOf } from "./metadata.ts";
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
  encodeGetSubscriptionsResponse,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
} from "./registration/unary.ts";
export { isSamePattern } from "./registration/wire-pattern.ts";
export { peekFrame, readFrameHead } from "./routing/frame-peek.ts";
export type { FrameHead, PeekedEvent, PeekedFrame, PeekedRequest, PeekedResponse } from "./routing/peeked-frame.ts";
export type { FrameBytes, SplicedFrame } from "./routing/request-id.ts";
export {
  asciiBytes,
  joinFrame,
  requestIdBytes,
  requestIdText,
  spliceRequestId,
  withRequestId,
} from "./routing/request-id.ts";
export type {
  ControlAnswer,
  ControlBody,
  ControlDestination,
  ControlEnvelope,
  ControlRequest,
} from "./state/control-messages.ts";
export {
  agentDestination,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  encodeControl,
  isControlRequest,
  parseControlDestination,
} from "./state/control-messages.ts";
export type { GetStateAnswer, SaveStateAnswer, StoredData, StoredState } from "./state/stored-state.ts";
export {
  decodeGetStateAnswer,
  decodeSaveStateAnswer,
  decodeStoredState,
  encodeGetStateAnswer,
  encodeSaveStateAnswer,
  encodeStoredState,
} from "./state/stored-state.ts";
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
