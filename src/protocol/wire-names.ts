/** The service of every call in this protocol (protocol.md §1.4). */
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

/** The one call of a service of our own, by which a worker hears signals past its data channel (protocol.md §11.7). */
export const signals = {
  serviceName: "troupe.v1.Signals",
  method: "OpenSignals",
  path: "/troupe.v1.Signals/OpenSignals",
} as const;

/** Call metadata that binds streams and unary calls to one connection (protocol.md §2.1). */
export const clientIdKey = "client-id";

/** Channel metadata by which Troupe's peers know each other, in both directions; a whole number above 0 (protocol.md §11.1). */
export const announcementKey = "agtroupe";

/** Keys of `RpcRequest.metadata` and `RpcResponse.metadata`; peers that don't know one pass it by (protocol.md §2.3, §5.5, H6). */
export const metadataKey = {
  errorType: "agerrortype",
  errorCode: "agerrorcode",
  errorStack: "agerrorstack",
  errorDetail: "agerrordetail",
  toolCallId: "agtoolcallid",
  toolName: "agtoolname",
  timeoutMs: "agtimeoutms",
} as const;

/** CloudEvent attributes that the protocol itself sets (protocol.md §3.1). */
export const attribute = {
  contentType: "datacontenttype",
  schema: "dataschema",
  senderType: "agagentsendertype",
  senderKey: "agagentsenderkey",
  kind: "agmsgkind",
} as const;

export const eventSpecVersion = "1.0";
export const publishKind = "publish";

/** What stands for "no sender" in both sender attributes (protocol.md W21). */
export const unknownSender = "unknown";

/** Start of every `Any.type_url` written; only the part after the last `/` is read (protocol.md §4.1). */
export const anyPrefix = "type.googleapis.com/";
