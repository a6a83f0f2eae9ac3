import type { Clock } from "../core/index.ts";
import { type RpcStatus, StatusCode } from "../transport/index.ts";
import { shuttingDownText } from "./host-errors.ts";

interface Drainable {
  flushed(): Promise<void>;
  finish(status: RpcStatus): void;
}

/** Ends each channel once its queue is empty, and the rest when the grace is over. Never rejects. */
export async function drainSessions(sessions: readonly Drainable[], graceMs: number, clock: Clock): Promise<void> {
  let stopWaiting = () => {};
  const graceOver = new Promise<void>((resolve) => {
    stopWaiting = resolve;
  });
  const timer = clock.setTimer(graceMs, stopWaiting);
  await Promise.race([Promise.all(sessions.map(finishWhenFlushed)), graceOver]);
  timer.cancel();
  for (const session of sessions) session.finish(goodbye);
}

const goodbye: RpcStatus = { code: StatusCode.unavailable, details: shuttingDownText };

async function finishWhenFlushed(session: Drainable): Promise<void> {
  await session.flushed();
  session.finish(goodbye);
}
