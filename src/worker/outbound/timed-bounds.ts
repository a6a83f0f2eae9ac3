import {
  type AgentId,
  type CallBounds,
  type Deadline,
  deadlineAfter,
  remainingMs,
  type TopicId,
} from "../../core/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";

/** The bounds of one call, and the moment at which its timeout is over. */
export interface TimedBounds<Recipient extends AgentId | TopicId = AgentId | TopicId> {
  readonly bounds: CallBounds;
  /** Undefined: the call has no timeout. */
  readonly deadline: Deadline | undefined;
  /** Stands in errors and spans. */
  readonly recipient: Recipient;
  /** Whether the host and the target learn the timeout. They do not learn `lastResortMs`, which no caller has asked for. */
  readonly isTold: boolean;
}

/** Timeout of a call without one. The host answers after 300 s by default; this ends the wait for a host that does not. */
const lastResortMs = 330_000;
const lastResort: CallBounds = Object.freeze({ timeoutMs: lastResortMs });

/** Begins the bounds of a call now. One without a timeout gets the last resort. */
export function beginBounds<Recipient extends AgentId | TopicId>(
  given: CallBounds,
  recipient: Recipient,
  { clock }: WorkerSettings,
): TimedBounds<Recipient> {
  const isTold = given.timeoutMs !== undefined;
  const bounds = isTold ? given : withLastResort(given);
  return { bounds, deadline: deadlineAfter(bounds.timeoutMs, clock), recipient, isTold };
}

/** Returns the bounds with the time that is left now. */
export function boundsLeft({ bounds, deadline }: TimedBounds): CallBounds {
  return deadline === undefined ? bounds : { ...bounds, timeoutMs: remainingMs(deadline) };
}

function withLastResort({ signal }: CallBounds): CallBounds {
  return signal === undefined ? lastResort : { signal, timeoutMs: lastResortMs };
}
