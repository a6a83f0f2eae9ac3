/** What a host has done since it was made. Numbers only grow, except those under "now". */
export interface HostCounters {
  /**
   * Now: open data channels, open control channels, calls without an answer yet, agent types, subscriptions, clients that may
   * come back, and what waits to be sent to all workers together.
   */
  readonly channels: number;
  readonly controlChannels: number;
  readonly pendingCalls: number;
  readonly agentTypes: number;
  readonly subscriptions: number;
  readonly dormantClients: number;
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  /** Calls taken from callers, and answers of targets handed back to them. */
  readonly calls: number;
  readonly answers: number;
  /** Calls that the host answered with an error itself, and those of them whose time was up. */
  readonly failedCalls: number;
  readonly timedOutCalls: number;
  /** Calls that were given up before they had an outcome: cancelled, out of time at the caller, or the caller has left. */
  readonly abandonedCalls: number;
  /** Cancels passed over: the outcome was faster, or the call is none of the sender's. */
  readonly unmatchedCancels: number;
  /** Answers thrown away: too late, a second one, or to a call that this host never made (protocol.md H7). */
  readonly lateAnswers: number;
  /** Answers thrown away because another worker than the one asked sent them. */
  readonly strayAnswers: number;
  /** Events taken, and frames sent out for them. */
  readonly events: number;
  readonly deliveredEvents: number;
  /** Of the delivered ones, those that had not left for the network when their worker's channel ended. */
  readonly lostEvents: number;
  /** Of the delivered ones, those that had left, and of which nothing showed that they had arrived when the channel ended. Never too few. */
  readonly unconfirmedEvents: number;
  /** Frames that had come from a worker and were not read when its channel ended: it was not its turn. */
  readonly unreadFrames: number;
  /** Events that no subscription with a known worker matched. */
  readonly unroutableEvents: number;
  /** Events dropped because their topic type is not valid. */
  readonly invalidEvents: number;
  /** Deliveries dropped: the queue of a worker that reads too slowly was full. */
  readonly droppedEvents: number;
  /** Calls answered `overloaded`: the target's queue was full, or too many calls were pending. */
  readonly overloadedCalls: number;
  /** Cancels and notices of leaving that did not reach a worker: its queue was full even for answers. */
  readonly lostSignals: number;
  /** Channels ended because their worker did not read what it was sent. */
  readonly overflowedChannels: number;
  /** Data channels ended because another one came under the same client id: a worker that came back, or an impostor. */
  readonly replacedChannels: number;
  /** Channels and registrations refused because a bound of the options was reached. */
  readonly refusedByLimit: number;
  /** Deliveries skipped: the worker has no open channel. */
  readonly skippedEvents: number;
  /** Deliveries kept from a peer that would choke on them (`filterByPeer`). */
  readonly filteredEvents: number;
  /** Frames without a known content, and frames that are no protobuf message or were refused by the transport. */
  readonly emptyFrames: number;
  readonly badFrames: number;
  /** Control envelopes passed on, and those that nobody could be found for. */
  readonly controlMessages: number;
  readonly unroutableControlMessages: number;
  /** Clients whose registrations were forgotten because their channel never came. */
  readonly expiredClients: number;
}

type Gauge =
  | "channels"
  | "controlChannels"
  | "pendingCalls"
  | "agentTypes"
  | "subscriptions"
  | "dormantClients"
  | "queuedFrames"
  | "queuedBytes";

/** The counters as the host's parts write them; the gauges are asked for when a snapshot is made. */
export type MutableHostCounters = { -readonly [Name in Exclude<keyof HostCounters, Gauge>]: number };

export function createHostCounters(): MutableHostCounters {
  return {
    calls: 0,
    answers: 0,
    failedCalls: 0,
    timedOutCalls: 0,
    abandonedCalls: 0,
    unmatchedCancels: 0,
    lateAnswers: 0,
    strayAnswers: 0,
    events: 0,
    deliveredEvents: 0,
    lostEvents: 0,
    unconfirmedEvents: 0,
    unreadFrames: 0,
    unroutableEvents: 0,
    invalidEvents: 0,
    droppedEvents: 0,
    overloadedCalls: 0,
    lostSignals: 0,
    overflowedChannels: 0,
    replacedChannels: 0,
    refusedByLimit: 0,
    skippedEvents: 0,
    filteredEvents: 0,
    emptyFrames: 0,
    badFrames: 0,
    controlMessages: 0,
    unroutableControlMessages: 0,
    expiredClients: 0,
  };
}
