/** Counts what a host has done since it was made. Numbers only grow, except those under "now". */
export interface HostCounters {
  /**
   * Now: open data channels, open control channels, calls without an answer, agent types and subscriptions. Clients that may
   * come back and find their registrations. Frames and bytes that wait to be sent to all workers together.
   */
  readonly channels: number;
  readonly controlChannels: number;
  readonly pendingCalls: number;
  readonly agentTypes: number;
  readonly subscriptions: number;
  /** Now: agents of shared types that have a worker. */
  readonly claims: number;
  /** Now: agents of shared types that leave their workers, and messages that wait for them. */
  readonly leavingAgents: number;
  readonly heldMessages: number;
  readonly reservedClients: number;
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  /** Now: bytes that the host keeps for all its clients together; `maxMemoryBytes` bounds them. */
  readonly heldBytes: number;
  /** Connections and clients that held most, and channels, streams and waiting calls of an address that had most, ended because others needed space. */
  readonly gaveWay: number;
  /** Calls from callers, also those of which the host could read only the beginning; and answers of targets passed back to them. */
  readonly calls: number;
  readonly answers: number;
  /** Calls that the host itself answered with an error, and those of them that timed out. */
  readonly failedCalls: number;
  readonly timedOutCalls: number;
  /** Calls that ended before they had an outcome: the caller cancelled, ran out of time or left. */
  readonly abandonedCalls: number;
  /** Cancels without effect: the outcome was faster, or the call is not the sender's. */
  readonly unmatchedCancels: number;
  /** Calls that failed as `deadlock`, because they and others waited for each other. */
  readonly deadlockedCalls: number;
  /** Reports of calls that wait for their turn: those for which there was no place, and those that named no call of the worker. */
  readonly unwatchedCalls: number;
  readonly unmatchedReports: number;
  // protocol.md H7
  /** Answers dropped: too late, a second one, or to a call that this host never made. */
  readonly lateAnswers: number;
  /** Answers dropped because another worker than the call's target sent them. */
  readonly strayAnswers: number;
  /** Events that came, and frames sent for them. */
  readonly events: number;
  readonly deliveredEvents: number;
  /** Delivered events that had not left for the network when their worker's channel ended. */
  readonly lostEvents: number;
  /** Delivered events that had left, and of which nothing showed that they arrived when the channel ended. Never too few. */
  readonly unconfirmedEvents: number;
  /** Frames from a worker that the host did not read, because it had ended the channel, or because the channel ended first. */
  readonly unreadFrames: number;
  /** Events that matched no subscription of a known worker. */
  readonly unroutableEvents: number;
  /** Events dropped because their topic type is not valid. */
  readonly invalidEvents: number;
  /** Deliveries dropped: the queue of a worker that reads too slowly was full. */
  readonly droppedEvents: number;
  /** Calls answered `overloaded`: the target's queue was full, or too many calls were pending. */
  readonly overloadedCalls: number;
  /** Agents of shared types that got no worker, because a bound was reached (`maxClaims`). */
  readonly refusedClaims: number;
  /** Messages that workers gave back because their agents leave, and what workers said of agents or messages that they did not have. */
  readonly returnedMessages: number;
  readonly unmatchedReturns: number;
  /** Claims that workers lost because the time in which they stop was over. */
  readonly revokedClaims: number;
  /** Times that an agent got no messages for a minute, because three workers were lost that had calls for it. */
  readonly quarantinedAgents: number;
  /** Times that no worker served all shared types which a stock worker serves together: an agent may live in two workers. */
  readonly splitUnits: number;
  // protocol.md §11.21
  /** Chunks that were passed on, and their bytes. */
  readonly chunks: number;
  readonly chunkBytes: number;
  /** Chunks of calls with an outcome, and those from a worker that was not asked or for a caller that reads none. */
  readonly lateChunks: number;
  readonly strayChunks: number;
  /** Streams that ran out of time while their handler waited for the reader. */
  readonly stalledStreams: number;
  /** Notices (cancel, leaving) that did not reach a worker: its queue was full even for answers. */
  readonly lostNotices: number;
  /** Channels ended because their worker did not read what the host sent. */
  readonly overflowedChannels: number;
  /** Data channels ended because another one came under the same client id: a worker that came back, or an impostor. */
  readonly replacedChannels: number;
  /** Channels, registrations and control requests refused because a bound was reached, and agents that could not begin to leave their worker. */
  readonly refusedByLimit: number;
  /** Calls and streams that the `authenticator` or `authorize` refused. */
  readonly deniedCalls: number;
  /** Calls, events and commits refused because they name an agent of another worker as their sender. */
  readonly refusedSenders: number;
  /** Messages, registrations and requests that the `rules` do not allow. */
  readonly deniedByRules: number;
  /** Messages, registrations, channels and calls that the `quotas` do not allow. */
  readonly refusedByQuota: number;
  /** Deliveries skipped: the worker has no open channel, or an agent of a shared type got no worker. */
  readonly skippedEvents: number;
  /** Events that were dropped since the host had lost touch with its cluster. */
  readonly isolatedEvents: number;
  /** Deliveries withheld from a peer that can't take them (`filterByPeer`). */
  readonly filteredEvents: number;
  // protocol.md §7
  /** Answers withheld from .NET's workers, which can't read them (`dotnetErrors`): errors, the host's own among them, and JSON. */
  readonly withheldAnswers: number;
  /** Frames without a known content, and frames that are no protobuf message or that the transport refused. */
  readonly emptyFrames: number;
  readonly badFrames: number;
  /** Control envelopes passed on, and those without a reachable destination. */
  readonly controlMessages: number;
  readonly unroutableControlMessages: number;
  /** States that workers loaded, and commits that were written for them. */
  readonly loads: number;
  readonly commits: number;
  /** Commits that were not written: another had written before, or the agent's placement was an older one. */
  readonly conflictingCommits: number;
  readonly staleCommits: number;
  /** Times that the state store could not do what it was asked. */
  readonly storeErrors: number;
  /** Told messages that their agents have handled, and messages and reminders that were given up. */
  readonly mailDelivered: number;
  readonly deadLetters: number;
  /** Durable events that were kept for an agent at least, and those that were not kept since a mailbox was full or the store failed. */
  readonly keptEvents: number;
  readonly refusedEvents: number;
  /** Dead letters that were forgotten because all had more than 64 MiB. */
  readonly forgottenLetters: number;
  /** Ticks of reminders that were handled, and ticks that were given up. */
  readonly remindersFired: number;
  readonly remindersFailed: number;
  /** Clients whose registrations the host forgot because their channel never came. */
  readonly expiredClients: number;
}

type Gauge =
  | "channels"
  | "controlChannels"
  | "pendingCalls"
  | "agentTypes"
  | "subscriptions"
  | "claims"
  | "leavingAgents"
  | "heldMessages"
  | "reservedClients"
  | "queuedFrames"
  | "queuedBytes"
  | "heldBytes"
  | "gaveWay"
  | "mailDelivered"
  | "deadLetters"
  | "forgottenLetters"
  | "remindersFired"
  | "remindersFailed";

/** The counters that the parts of the host write; `counters()` adds the gauges. */
export type MutableHostCounters = { -readonly [Name in Exclude<keyof HostCounters, Gauge>]: number };

export function createHostCounters(): MutableHostCounters {
  return {
    calls: 0,
    answers: 0,
    failedCalls: 0,
    timedOutCalls: 0,
    abandonedCalls: 0,
    unmatchedCancels: 0,
    deadlockedCalls: 0,
    unwatchedCalls: 0,
    unmatchedReports: 0,
    lateAnswers: 0,
    strayAnswers: 0,
    chunks: 0,
    chunkBytes: 0,
    lateChunks: 0,
    strayChunks: 0,
    stalledStreams: 0,
    events: 0,
    keptEvents: 0,
    refusedEvents: 0,
    deliveredEvents: 0,
    lostEvents: 0,
    unconfirmedEvents: 0,
    unreadFrames: 0,
    unroutableEvents: 0,
    invalidEvents: 0,
    droppedEvents: 0,
    overloadedCalls: 0,
    refusedClaims: 0,
    returnedMessages: 0,
    unmatchedReturns: 0,
    revokedClaims: 0,
    quarantinedAgents: 0,
    splitUnits: 0,
    lostNotices: 0,
    overflowedChannels: 0,
    replacedChannels: 0,
    refusedByLimit: 0,
    deniedCalls: 0,
    refusedSenders: 0,
    deniedByRules: 0,
    refusedByQuota: 0,
    skippedEvents: 0,
    isolatedEvents: 0,
    filteredEvents: 0,
    withheldAnswers: 0,
    emptyFrames: 0,
    badFrames: 0,
    controlMessages: 0,
    unroutableControlMessages: 0,
    loads: 0,
    commits: 0,
    conflictingCommits: 0,
    staleCommits: 0,
    storeErrors: 0,
    expiredClients: 0,
  };
}
