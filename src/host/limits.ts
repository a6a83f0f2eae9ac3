/** Bounds that are no options: nobody has needed to turn them yet. */
export const limits = {
  /** Calls that may wait for one client's channel, and the bytes they may hold together. */
  heldCallsPerClient: 1_000,
  heldBytesPerClient: 16 * 1024 * 1024,
  /** The bytes that calls may hold which wait for channels, all clients together. */
  heldBytes: 256 * 1024 * 1024,
  /** Requests that one control channel may leave unanswered before the host forgets the oldest. */
  controlWaitsPerChannel: 1_000,
  /** The longest names in a control request that the host remembers, in characters together. */
  controlNameChars: 4_096,
  /** Agents whose owner is remembered where types have several owners; the longest known is forgotten first. */
  placements: 500_000,
  /** Agents with a longer key are placed by a hash of it, and not remembered. */
  placementKeyChars: 256,
  /** The longest client id, agent type, topic type or prefix of a subscription, and subscription id, in characters. */
  nameChars: 1_024,
  /** The longest request id of a caller, in bytes. */
  requestIdBytes: 1_024,
  /** The longest error text of the host's own, in characters. */
  errorChars: 2_000,
  /** How much of a target's key is kept for the text of a call's error, in characters. */
  keptKeyChars: 256,
  /** Registrations of a client that has left go in lots of so many, and failed calls of a worker too, so that nobody else waits. */
  lotSize: 500,
  /** Subscriptions that are written at once for whoever lists them; a lot has 500 times as many. */
  listedAtOnce: 10,
  /** Milliseconds that a worker has to take the last frames of a channel that has ended. */
  lastWordMs: 5_000,
  /** Lines of one text that are logged in a window of so many milliseconds; the rest are counted. */
  logLines: 50,
  logWindowMs: 10_000,
  /** `reconnectGraceMs` for .NET's workers, which reopen their channel without registering again (protocol.md §2.1). */
  dotnetGraceMs: 10_000,
  /** The longest delay that timers take, in milliseconds. */
  timerMs: 2 ** 31 - 1,
} as const;
