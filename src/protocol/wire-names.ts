import { depthKey } from "../core/internal.ts";

// protocol.md §1.4
/** Service of every call in AutoGen's protocol. */
export const serviceName = "agents.AgentRpc";

/** Bare method names of `agents.AgentRpc`. */
export const method = {
  openChannel: "OpenChannel",
  openControlChannel: "OpenControlChannel",
  registerAgent: "RegisterAgent",
  addSubscription: "AddSubscription",
  removeSubscription: "RemoveSubscription",
  getSubscriptions: "GetSubscriptions",
  getState: "GetState",
  saveState: "SaveState",
} as const;

// protocol.md §11.7
/** Troupe's own service: its one stream carries notices to a worker that does not read its data channel. */
export const signals = {
  serviceName: "troupe.v1.Signals",
  method: "OpenSignals",
  path: "/troupe.v1.Signals/OpenSignals",
} as const;

// protocol.md §11.15
/** Troupe's service for the states of agents: its one stream. */
export const states = {
  serviceName: "troupe.v1.States",
  method: "OpenStates",
  path: "/troupe.v1.States/OpenStates",
} as const;

// protocol.md §12
/** The stream between two hosts of one cluster. */
export const peerLinks = {
  serviceName: "troupe.v1.Peer",
  method: "OpenLink",
  path: "/troupe.v1.Peer/OpenLink",
  /** Metadata with the secret that the hosts of a cluster share. */
  secretKey: "agcluster",
  /** The unary ask of an operator's host to end an agent. */
  endAgent: "EndAgent",
  /** The version of the protocol between hosts that this host speaks; it speaks no other. */
  version: 1,
} as const;

// protocol.md §2.1
/** Call metadata that binds streams and unary calls to one connection. */
export const clientIdKey = "client-id";

// protocol.md §11.1
/** Channel metadata that announces a Troupe peer, in both directions; a whole number above 0. */
export const announcementKey = "agtroupe";

// protocol.md §11.12
/** Channel metadata with the words for what an announced peer knows and is set up for, in both directions, joined by `,`. */
export const capabilitiesKey = "agcaps";

// protocol.md §11.22
/** Metadata of `OpenChannel` with the value `1`, by which an announced peer asks who it is; the response header has the answer. */
export const whoKey = "agwho";

// protocol.md §2.3, §5.5, H6
/** Keys of `RpcRequest.metadata` and `RpcResponse.metadata`. Peers ignore keys that they do not know. */
export const metadataKey = {
  errorType: "agerrortype",
  errorCode: "agerrorcode",
  errorStack: "agerrorstack",
  errorDetail: "agerrordetail",
  notHandled: "agnothandled",
  final: "agfinal",
  // protocol.md §2.5
  retryMs: "agretryms",
  toolCallId: "agtoolcallid",
  toolName: "agtoolname",
  timeoutMs: "agtimeoutms",
  path: "agpath",
  // protocol.md §11.21
  stream: "agstream",
  /** Of answers: the number of chunks before it. */
  chunks: "agchunks",
  // Of events as well, as an attribute.
  depth: depthKey,
  idempotency: "agidempotency",
  epoch: "agepoch",
  // protocol.md §11.16
  delivery: "agdelivery",
  mail: "agmail",
  attempt: "agattempt",
  reminder: "agreminder",
  // protocol.md §11.20
  principal: "agprincipal",
  // protocol.md §11.18
  topic: "agtopic",
  // Of events, as an attribute: the id under which the publisher of a durable one waits for the answer.
  request: "agrequest",
} as const;

// protocol.md §11.3, §11.21
/** Keys of the metadata of answers that only announced callers get. */
export const troupeKeys: readonly string[] = [
  metadataKey.errorDetail,
  metadataKey.notHandled,
  metadataKey.final,
  metadataKey.chunks,
];

// protocol.md §11.14, §11.16, §11.18, §11.20
/** Keys of the metadata of calls that only a host sets. It takes them out of calls that workers send. */
export const hostKeys: readonly string[] = [
  metadataKey.epoch,
  metadataKey.mail,
  metadataKey.attempt,
  metadataKey.reminder,
  metadataKey.topic,
  metadataKey.principal,
];

// protocol.md §11.14
/** Keys of the metadata of `OpenChannel`, with which a worker says which one it is. */
export const workerKey = {
  id: "agworker",
  name: "agname",
  version: "agversion",
  labels: "aglabels",
  // protocol.md §11.19
  session: "agsession",
} as const;

// protocol.md §11.19
/** Begins the details of an ABORTED status by which a host ends the data channel of a worker that no host serves any more. */
export const voidStatusPrefix = "void: ";

/** Keys of the metadata of `RegisterAgent`: the terms under which a worker shares an agent type. */
export const sharingKey = {
  shared: "agshared",
  placement: "agplacement",
  requires: "agrequires",
} as const;

// protocol.md §11.20
/** Key of the metadata of `RegisterAgent`, with the value `1`: the host tells the type who calls it. */
export const tellsPrincipalKey = "agtellsprincipal";

// protocol.md §11.18
/** Key of the metadata of `AddSubscription` and `RemoveSubscription`, with the value `1`: the subscription is a durable one. */
export const durableKey = "agdurable";

// protocol.md §11.9
/** Keys of the metadata beside a refused registration, for announced workers. */
export const refusalKey = {
  /** The client id of the worker that holds the agent type. */
  holder: "agholder",
  /** The address that this worker's connection comes from; left out while the worker has no channel open. */
  holderAddress: "agholderaddress",
} as const;

// protocol.md §3.1
/** CloudEvent attributes that the protocol itself sets. */
export const attribute = {
  contentType: "datacontenttype",
  schema: "dataschema",
  senderType: "agagentsendertype",
  senderKey: "agagentsenderkey",
  kind: "agmsgkind",
  // protocol.md §11.14
  /** The agents of shared types that an event is for; the host alone sets it. */
  recipients: "agfor",
} as const;

/** Value of `spec_version` in every CloudEvent. */
export const eventSpecVersion = "1.0";
/** Value of the attribute `agmsgkind` in every event. */
export const publishKind = "publish";

// protocol.md W21
/** Value of both sender attributes for an event without a sender. */
export const unknownSender = "unknown";

// protocol.md §4.1
/** Prefix of every `Any.type_url` written. Readers look only at the part after the last `/`. */
export const anyPrefix = "type.googleapis.com/";
