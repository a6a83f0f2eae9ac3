/** Bounds that are no options: nobody has needed to turn them yet. */
export const limits = {
  /** Calls that may wait for one client's channel, and the bytes they may hold together. */
  heldCallsPerClient: 1_000,
  heldBytesPerClient: 16 * 1024 * 1024,
  /** Requests that one control channel may leave unanswered before the host forgets the oldest. */
  controlWaitsPerChannel: 1_000,
  /** Agents per type whose owner is remembered where a type has several owners; the longest known is forgotten first. */
  placementsPerType: 100_000,
  /** The longest delay that timers take, in milliseconds. */
  timerMs: 2 ** 31 - 1,
} as const;
