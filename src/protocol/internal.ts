// What other rooms and tests use of this room. index.ts holds what users use.

export { parsePath, pathMetadata, pathOf, pathText } from "./call-path.ts";
export type { Capability } from "./capabilities.ts";
export { announcementOf, readCapabilities } from "./capabilities.ts";
export { fromWireError, retryAfterMsIn, saysNotHandled, toWireError } from "./errors/wire-error.ts";
export {
  announcement,
  chunksMetadata,
  chunksOf,
  hostTraits,
  isAnnounced,
  streamMetadata,
  timeoutMetadata,
  timeoutOf,
  windowOf,
} from "./extension-metadata.ts";
export type {
  AskLeaveFrame,
  CancelFrame,
  CancelReason,
  ChunkFrame,
  ClaimedAgent,
  CreditFrame,
  Frame,
  HeartbeatFrame,
  HostsFrame,
  LastFrame,
  LeaseNotice,
  LeaveFrame,
  LeaveReason,
  LeavingFrame,
  LeavingNotice,
  LeavingWorkerFrame,
  LeftFrame,
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
export { decodeFrame, encodeFrame } from "./frames/frame-codec.ts";
export { decodeControlHeartbeat, encodeControlHeartbeat } from "./frames/heartbeat.ts";
export { mostAgentsOfNotice } from "./frames/leaving-notices.ts";
export { isVoidPayload } from "./frames/payload.ts";
export { flawForProtobuf, rpcStatusPayload } from "./frames/protobuf-payload.ts";
export { decodePeerFrame, encodePeerFrame } from "./peers/peer-codec.ts";
export type {
  PeerBounce,
  PeerCall,
  PeerEvent,
  PeerEventTarget,
  PeerFlush,
  PeerFrame,
  PeerHello,
  PeerInterest,
  PeerLoad,
  PeerMessageName,
  PeerTaken,
  PeerUnary,
  PeerUnaryAnswer,
  RarePeerFrame,
  WorkerHere,
  WorkerLoad,
} from "./peers/peer-frame.ts";
export {
  encodePeerAnswer,
  encodePeerCall,
  encodePeerEvent,
  encodePeerNotice,
  readPeerMessageHead,
} from "./peers/quick-peer-codec.ts";
export type { WorkerIdentity } from "./registration/sharing.ts";
export {
  identityMetadata,
  mostIdentityChars,
  readIdentity,
  readSession,
  readSharing,
  sessionMetadata,
  sharingMetadata,
} from "./registration/sharing.ts";
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
export { spliceChunk } from "./routing/chunk-peek.ts";
export { type DurableEvent, encodeKeptEvent, readDurableEvent, senderOf } from "./routing/durable-events.ts";
export {
  peekFrame,
  readFrameHead,
  withKeptPrincipal,
  withoutDepth,
  withoutEpoch,
  withoutHostKeys,
  withoutPath,
  withoutPrincipal,
  withoutStream,
  withoutTroupeKeys,
  withPath,
} from "./routing/frame-peek.ts";
export {
  encodeToldCall,
  idempotencyKeyOf,
  isKeptCall,
  keptTopicOf,
  plainAnswerOf,
  reminderOf,
  withMailMarks,
  withoutMailMarks,
} from "./routing/mail-marks.ts";
export type {
  FrameHead,
  PeekedChunk,
  PeekedEvent,
  PeekedFrame,
  PeekedRequest,
  PeekedResponse,
} from "./routing/peeked-frame.ts";
export {
  epochEntry,
  epochOf,
  formatLinkMark,
  formatLoneRecipient,
  formatLoneRecipients,
  formatRecipient,
  isForRecipientsAlone,
  linkIn,
  recipientsIn,
  spliceRecipients,
  topicSourceOf,
  typesAlone,
  withoutRecipients,
} from "./routing/placement-marks.ts";
export { principalEntry } from "./routing/principal-mark.ts";
export type { FrameBytes } from "./routing/request-id.ts";
export { joinFrame, requestIdBytes, requestIdText, spliceRequestId } from "./routing/request-id.ts";
export { mayBeForRuntime } from "./routing/runtime-call.ts";
export { namedSenderOf } from "./routing/sender-peek.ts";
export { type PeekedTrace, sampledTraceOf } from "./routing/trace-peek.ts";
export {
  decodeHealthCheckRequest,
  encodeHealthCheckResponse,
  encodeHealthListResponse,
  health,
  type ServingStatus,
} from "./services/health.ts";
export { answerReflection, reflection } from "./services/reflection.ts";
export type { ControlAnswer, ControlBody, ControlEnvelope, ControlRequest } from "./state/control-messages.ts";
export {
  agentDestination,
  clientDestination,
  controlFailure,
  controlReply,
  decodeControl,
  encodeControl,
  formatControlError,
  isControlRequest,
  parseControlDestination,
  parseControlError,
  withControlEpoch,
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
export { formatToldMessages, readToldMessages, type ToldMessage } from "./state/told-messages.ts";
export {
  decodeStatesAnswer,
  decodeStatesAsk,
  encodeStatesAnswer,
  encodeStatesAsk,
  readAskHead,
} from "./states/states-codec.ts";
export type {
  CommitAsk,
  CommittedAnswer,
  HostedOutcome,
  LoadAsk,
  LoadedAnswer,
  RememberedAnswer,
  RememberedAsk,
  RemindersAnswer,
  RemindersAsk,
  RunAnswer,
  RunAsk,
  RunsAnswer,
  RunsAsk,
  StateFailure,
  StatesAnswer,
  StatesAsk,
  WireMail,
  WireRun,
} from "./states/states-messages.ts";
export { readWho, whoAnswer, whoQuestion } from "./told-principal.ts";
export { troupeVersion } from "./troupe-version.ts";
export { fromWireAgentId, fromWireSender, fromWireTopic, toWireAgentId } from "./wire-ids.ts";
export {
  anyPrefix,
  clientIdKey,
  durableKey,
  metadataKey,
  method,
  peerLinks,
  refusalKey,
  serviceName,
  sharingKey,
  signals,
  states,
  tellsPrincipalKey,
  voidStatusPrefix,
} from "./wire-names.ts";
