import type { HeartbeatFrame } from "../../protocol/internal.ts";

// protocol.md §11.12
/** Answers the heartbeat of a worker. Undefined: the frame is an answer itself. `leaseMs`: the lease that the host gives; 0: none. */
export function heartbeatAnswer(
  { seq, isAnswer }: HeartbeatFrame,
  leaseMs: () => number = () => 0,
): HeartbeatFrame | undefined {
  return isAnswer ? undefined : { kind: "heartbeat", seq, isAnswer: true, leaseMs: leaseMs() };
}
