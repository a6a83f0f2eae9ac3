import { type ActivationCounters, copyOfCounters, createActivationCounters } from "../core/internal.ts";

/** Counts of a worker's activations, and of what it dropped, lost or refused since its creation. The worker logs the losses as well. */
export interface WorkerCounters extends ActivationCounters {
  /** Messages from the host that the worker could not read. */
  unreadableFrames: number;
  /** Events whose payload, topic or sender the worker could not read. */
  unreadableEvents: number;
  /** Those of them that .NET's gateway sent again without topic and content. The worker logs them at `debug` alone. */
  emptyReplays: number;
  /** Events that the host sent although no agent type here subscribes to their topic, or because another worker serves the type by now. Logged at `debug`. */
  unroutedEvents: number;
  /** Events that came while the worker was stopping. */
  eventsAfterStop: number;
  /** Events that the worker dropped because it remembered their id (`rememberedEvents`). */
  duplicateEvents: number;
  /** Failures of event handlers, and of factories that make agents for events. */
  failedEventHandlers: number;
  /** Answers for which no call waits: late, second or unknown. */
  unexpectedAnswers: number;
  /** Answers that the worker could not encode or send, although it did not know that their connection had ended. */
  unsentAnswers: number;
  /** Number of times that the worker has reconnected. */
  reconnections: number;
  /**
   * Events that the worker accepted and never sent, because it lost the connection, stopped or gave up its host. Events that
   * were lost on their way do not count. In a cluster also events for agents of shared types that had come, and had not begun when their
   * connection was lost.
   */
  lostEvents: number;
  /**
   * Events that the worker had sent, without a sign of their arrival, when it lost the connection. The number may be too high,
   * never too low.
   */
  unconfirmedEvents: number;
  /** Messages from the host that the worker did not read: it was busy when the connection ended, or it had ended the connection. */
  unreadFrames: number;
  /** Calls and events that the worker refused to send because its send queue was full. */
  overloadedSends: number;
  /** Events that the worker dropped because too many messages were parked (`maxConcurrentHandlers`). */
  droppedEvents: number;
  /** Calls that the worker answered with `overloaded` because too many messages were parked. */
  refusedCalls: number;
  /** Events that the worker dropped, and told messages that it refused, because too many handlers led to them (`guards.events`). */
  guardedEvents: number;
  /** Calls to this worker's agents that their callers gave up before the answer; the worker told their handlers. */
  abandonedCalls: number;
}

export function createWorkerCounters(): WorkerCounters {
  return {
    ...createActivationCounters(),
    unreadableFrames: 0,
    unreadableEvents: 0,
    emptyReplays: 0,
    unroutedEvents: 0,
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
    guardedEvents: 0,
    abandonedCalls: 0,
  };
}

/** Returns a copy that does not change any more. */
export function copyOfWorkerCounters(counters: WorkerCounters): WorkerCounters {
  return { ...counters, ...copyOfCounters(counters) };
}
