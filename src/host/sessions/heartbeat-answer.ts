import type { HeartbeatFrame } from "../../protocol/internal.ts";

// protocol.md §11.12
/** The answer to a worker's heartbeat. Undefined for an answer, to which there is none. `leaseMs`: the lease that it gives; 0: none. */
export function heartbeatAnswer(
  { seq, isAnswer }: HeartbeatFrame,
  leaseMs: () => number = () => 0,
): HeartbeatFrame | undefined {
  return isAnswer ? undefined : { kind: "heartbeat", seq, isAnswer: true, leaseMs: leaseMs() };
}
