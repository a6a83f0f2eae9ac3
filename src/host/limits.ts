import { lineLimits } from "../core/internal.ts";

/** Bounds that are no options, because no user has needed another value yet. */
export const limits = {
  /** Calls and events whose spans are open, and characters of the name of a span. */
  openTraces: 1_000,
  spanNameChars: 200,

  /** Calls that may wait for one client's channel, and the bytes they may hold together; the callers of one address get two thirds. */
  heldCallsPerClient: 1_000,
  heldBytesPerClient: 16 * 1024 * 1024,
  /** The bytes that calls may hold which wait for channels, all clients together; the callers of one address get two thirds. */
  heldBytes: 256 * 1024 * 1024,
  // protocol.md §11.17
  /** Messages that wait for one agent that moves, their bytes, and the bytes of all such agents together; one address gets two thirds of each. */
  heldPerAgent: 1_000,
  heldBytesPerAgent: 16 * 1024 * 1024,
  heldForAgents: 256 * 1024 * 1024,
  /** Agents of one worker that may leave at once, and of one that stops; agents and characters of names that one notice says. */
  leavingPerWorker: 10_000,
  leavingOfDrain: 4_000,
  leaveLot: 1_000,
  leaveLotChars: 128 * 1024,
  /** The newest channels of one worker on which the host says that an agent leaves. An honest worker has two while it changes its connection. */
  leaveChannels: 4,
  /** Shared types of one worker that the host keeps while the worker changes its connection. */
  typesOfChange: 1_000,
  /** Milliseconds after which the host says a notice again that a full queue did not take. */
  leaveRetryMs: 100,
  /** Drained workers that were lost before they answered the drain; the host forgets the oldest first. */
  unheardDrains: 1_000,
  /** Agents that one task says again. */
  leaveLaterLot: 100,
  /** Times that one call may be given back, and those because of a conflict. */
  returnsOfCall: 5,
  conflictsOfCall: 1,
  /** Losses of workers with a call for one agent, within so many milliseconds, after which it gets no messages for as long. */
  lossesOfAgent: 3,
  quarantineMs: 60_000,
  /** Agents whose losses the host remembers, and characters of their names; it forgets the oldest first. */
  rememberedLosses: 10_000,
  rememberedLossChars: 1024 * 1024,
  /** Control requests of one client that may wait for answers, and the bytes that their names may hold together. */
  controlWaitsPerAsker: 1_000,
  controlWaitBytesPerAsker: 4 * 1024 * 1024,
  /** Control requests of the host's operator that may wait for answers, and milliseconds for which each waits. */
  hostAsks: 100,
  hostAskMs: 60_000,
  /** Agents whose owner the host remembers where types have several owners; it forgets the oldest first. */
  placements: 500_000,
  /**
   * Claims for one event that count with the share of its publisher's address, and agents that move for which the publisher's account holds it.
   * Further ones count with those of their workers.
   */
  claimsOfEvent: 16,
  /**
   * Characters in which an event may name its agents of shared types to one worker: those of some 20 000 types with short names. The event
   * does not reach the others.
   */
  recipientChars: 1024 * 1024,
  /**
   * Shared types from which on the host remembers where the events of a topic go, and bytes of all that it remembers so. Publishers of one address
   * have three quarters at most. The host forgets what was used least recently.
   */
  fanTypes: 16,
  fanBytes: 32 * 1024 * 1024,
  /** The host places agents with a longer key by a hash of it, and does not remember them. */
  placementKeyChars: 256,
  /** The longest client id, agent type, topic type or prefix of a subscription, and subscription id, in characters. */
  nameChars: 1_024,
  // protocol.md §11.13
  /** Calls that are reported because they wait for their turn, of all workers together; running turns that a report may name. */
  stuckCalls: 10_000,
  stuckBehind: 100,
  /** Milliseconds after which the host reports a call that waits for an agent to leave its worker. */
  heldStuckMs: 1_000,
  // protocol.md §12.10
  /** Milliseconds for which a host collects what it tells of its waiting calls, and how many it tells at once. */
  tellWaitsMs: 50,
  waitsToldAtOnce: 200,
  /** Bytes of the waiting calls that other hosts tell this one; a host gets two thirds. */
  toldWaitBytes: 64 * 1024 * 1024,
  /** Request ids that one question about rings names. Milliseconds in which hosts answer, and those after which a call comes back to the search. */
  ringCheckIds: 20_000,
  /** Request ids of all rings that wait for their question. */
  suspectedRingIds: 100_000,
  ringAskMs: 2_000,
  ringAgainMs: 1_000,
  /** Calls that the search knows to be over; the longest request id that a host makes; the longest text of a ring. */
  knownOverCalls: 10_000,
  hostRequestIdChars: 64,
  ringChars: 4_096,
  /** The longest request id of a caller, in bytes. */
  requestIdBytes: 1_024,
  /** Streams and calls that wait for `authorize` at once, those of one connection, and milliseconds that each waits. */
  pendingAdmissions: 10_000,
  pendingAdmissionsPerPeer: 1_000,
  admissionMs: 30_000,
  /**
   * Bytes of the requests of unary calls that wait for `authorize`, of which one address gets two thirds; and those of one connection. One
   * request may always wait alone.
   */
  pendingRequestBytes: 256 * 1024 * 1024,
  pendingRequestBytesPerPeer: 32 * 1024 * 1024,
  /** Bytes of frames that the host holds for a stream that waits for `authorize` and that sends though it is paused. */
  admissionBytes: 1024 * 1024,
  /** Watches of the health service, and streams of server reflection, that are open at once. */
  healthWatches: 1_000,
  reflectionStreams: 100,
  /** The longest request of server reflection, in bytes, and the answers that may wait on one stream. */
  reflectionRequestBytes: 4_096,
  reflectionQueuedBytes: 1024 * 1024,
  /** Agent types of one worker, and owners of one type, that `inspect()` and an occurrence list. */
  listedTypes: 100,
  /** The longest error text of the host's own, in characters. */
  errorChars: 2_000,
  /** How much of a target's key is kept for the text of a call's error, in characters. */
  keptKeyChars: 256,
  /** How much of the path of a call is kept for operators, in characters. */
  keptPathChars: 1_024,
  /**
   * Tasks of long work that run in one turn of the event loop, for all clients together. A task is one registration of a client
   * that left or came back, one failed call, or a part of a listing. `batchShare`: tasks of one client until others have their turn.
   */
  batchSize: 500,
  batchShare: 20,
  /** Subscriptions that one task of a listing takes, and those that it encodes together, a multiple of that. */
  listedAtOnce: 4,
  listedTogether: 100,
  /** Milliseconds that a worker has to read the last frames of a channel that the host ends. */
  closeMs: 5_000,
  /** Lines of one text that the host logs in a window of this many milliseconds; it counts the rest. */
  logLines: lineLimits.lines,
  logWindowMs: lineLimits.windowMs,
  /** Refused agent types that the log remembers, and milliseconds in which it says the same refusal once. */
  rememberedRefusals: 1_000,
  repeatedRefusalMs: 60_000,
  // protocol.md §2.1
  /** `reconnectGraceMs` for .NET's workers, which reopen their channel without registering again. */
  dotnetGraceMs: 10_000,
  /** Bytes of what the host remembers of .NET's workers by client id: some 4 000 of them. It forgets the oldest first. */
  dotnetWorkerBytes: 1024 * 1024,
  // protocol.md §11.18
  /** Bytes of the durable subscriptions that the host keeps, of which one address gets two thirds; and those of one agent type. */
  durableSubscriptionBytes: 16 * 1024 * 1024,
  durablePatterns: 1_000,
  /** Agent types that no worker serves to which one address has added durable subscriptions. */
  unservedDurableTypes: 1_000,
  /** Messages of one durable event that the host makes at once. More are made in batches. */
  spreadAtOnce: 64,
  /** Bytes in all mailboxes of the durable events of one commit. */
  spreadBytes: 64 * 1024 * 1024,
  // protocol.md §11.15
  /**
   * Asks of one stream of states that the host has taken, those that it has at the store at once, and the loads among them. `smallStateBytes`:
   * of a state that needs no space reserved before it is read.
   */
  stateAsks: 10_000,
  stateAsksAtOnce: 256,
  stateLoadsAtOnce: 128,
  smallStateBytes: 16 * 1024,
  /** Answers and events of one commit that leave together. Those of a larger one leave in batches. */
  ridingFramesAtOnce: 20,
  // protocol.md §12
  /** Milliseconds for which messages wait for the place of their agent type at another host, and types that are looked up at once. */
  elsewhereMs: 5_000,
  /**
   * Milliseconds for which the record of a host that has vanished keeps messages and registrations waiting. When its worker was given up, messages
   * wait on for `freedTypesMs`: another worker may register its types.
   */
  lostHostMs: 30_000,
  freedTypesMs: 1_000,
  /** Messages that wait for one place, and their bytes; the senders of one address get two thirds. */
  heldPerPlace: 1_000,
  heldBytesPerPlace: 16 * 1024 * 1024,
  lookUps: 1_000,
  /** Unary calls that wait for other hosts, milliseconds for which each waits, and those for which a list of all hosts waits. */
  peerUnaries: 10_000,
  peerUnaryMs: 10_000,
  /**
   * Milliseconds for which a registration waits for the host that has the channel of its client. That one waits `lostHostMs` and
   * `leavingOwnerMs` at most.
   */
  forwardedMs: 45_000,
  peerListMs: 1_000,
  /** Milliseconds in which the worker of another host answers a control request that goes there with its sender's principal. */
  controlAskMs: 60_000,
  /** Bytes of the requests for which one other host is asked at once; callers of one address have two thirds. One may always wait alone. */
  peerUnaryBytes: 32 * 1024 * 1024,
  /** Milliseconds after which a host asks again for messages to come back, when the link had no space to ask for them. */
  flushRetryMs: 100,
  /** Milliseconds for which a subscription waits until other hosts know it. */
  barrierMs: 2_000,
  /** Milliseconds for which a worker that moves waits until other hosts have read what it sent. */
  readByOthersMs: 1_000,
  /** Milliseconds after which a host asks again for a type of its client, when the cluster could not say whose it is. */
  claimAgainMs: 1_000,
  // protocol.md §12.3
  /** Milliseconds for which a host keeps the patterns of a worker that moves, and those after other hosts have told all of them. */
  moveOfInterestMs: 30_000,
  toldInterestMs: 500,
  // protocol.md §12.7
  /** Milliseconds for which a data channel waits until its worker has joined the cluster, and registrations that wait for that at once. */
  joinMs: 10_000,
  waitingRegistrations: 10_000,
  /** Milliseconds for which a registration waits for what becomes of the owner of its type, whose channel at another host has ended. */
  leavingOwnerMs: 8_000,
  /** Milliseconds after which a host that has lost touch with its cluster ends the channels of Troupe's workers. */
  isolatedChannelMs: 1_000,
  /** Milliseconds that a worker has to finish what it has here, when the host has sent it to a host with fewer workers. */
  balanceGraceMs: 3_600_000,
  /** Milliseconds for which the start of a host waits until it has links to the hosts that are up. */
  firstLinksMs: 2_000,
  /** Milliseconds in which a host must say on a link who it is. */
  helloMs: 5_000,
  /** Times that one message may come back from other hosts. */
  bouncesOfCall: 5,
  /** The longest id of a host, in characters. */
  hostIdChars: 256,
  /** Links that a host accepts: one of each of 63 others, and as many that are about to be replaced. */
  incomingLinks: 126,
  /** Milliseconds in which another host tells its state to an operator, those for which a host drains by default, and at most: a day. */
  hostStatusMs: 2_000,
  drainHostMs: 60_000,
  longestDrainMs: 86_400_000,
  // protocol.md §2.5
  /** Milliseconds of a channel after which its principal is known, those for which it stays so without one, and the share of channels for those. */
  knownAfterMs: 60_000,
  knownMs: 86_400_000,
  knownShare: 0.1,
  /** Bytes of what the host remembers of principals and addresses that have nothing there: of those with a bucket that fills, and of those known. */
  keptUsageBytes: 8 * 1024 * 1024,
  /** Milliseconds between two reports that one principal or address uses too much. */
  quotaReportMs: 10_000,
  /** Messages for which a session asks its quotas at once, where they are far from their end. */
  quotaLot: 256,
  /** The longest delay that timers take, in milliseconds. */
  timerMs: 2 ** 31 - 1,
} as const;

/** The agent types or owners that `inspect()` and an occurrence list; the whole set is not copied. */
export function firstListed(items: Iterable<string>): string[] {
  const first: string[] = [];
  for (const item of items) {
    if (first.length >= limits.listedTypes) break;
    first.push(item);
  }
  return first;
}
