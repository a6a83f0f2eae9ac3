/** What a worker passed over or lost, since it was made; each is logged as well. */
export interface WorkerCounters {
  /** Messages from the host that could not be read. */
  unreadableFrames: number;
  /** Events whose payload, topic or sender could not be read. */
  unreadableEvents: number;
  /** Events that came while the worker was stopping. */
  eventsAfterStop: number;
  /** Events that were dropped because one of the same id had come before (`rememberedEvents`). */
  duplicateEvents: number;
  /** Event handlers, or the making of their agents, that failed. */
  failedEventHandlers: number;
  /** Answers nobody waits for: late, second or unknown. */
  unexpectedAnswers: number;
  /** Answers that could not be sent or written, though their connection was not known to be gone. */
  unsentAnswers: number;
  /** Times the worker has come to a host again. */
  reconnections: number;
  /** Events that were taken and never left: the connection was lost, the worker stopped, or gave its host up. Not those lost on their way. */
  lostEvents: number;
  /** Events that had left, and of which nothing showed that they had arrived when the connection was lost. Never too few. */
  unconfirmedEvents: number;
  /** Messages that had come and were not read when the connection ended: the worker had enough to do. */
  unreadFrames: number;
  /** Calls and events refused because too much waited to be sent. */
  overloadedSends: number;
  /** Events dropped, and calls answered `overloaded`, because too much was parked (`maxConcurrentHandlers`). */
  droppedEvents: number;
  refusedCalls: number;
  /** Calls to agents here that their callers gave up before the answer; their handlers were told. */
  abandonedCalls: number;
}

export function createWorkerCounters(): WorkerCounters {
  return {
    unreadableFrames: 0,
    unreadableEvents: 0,
    eventsAfterStop: 0,
    duplicateEvents: 0,
    failedEventHandlers: 0,
    unexpectedAnswers: 0,
    unsentAnswers: 0,
    reconnections: 0,
    lostEvents: 0,
    unconfirmedEvents: 0,
    unreadFrames: 0,
    overloadedSends: 0,
    droppedEvents: 0,
    refusedCalls: 0,
    abandonedCalls: 0,
  };
}
