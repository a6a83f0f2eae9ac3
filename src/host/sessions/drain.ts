import { type RpcStatus, StatusCode } from "../../transport/internal.ts";
import { shuttingDownText } from "../host-errors.ts";

interface Drainable {
  flushed(): Promise<void>;
  finish(status: RpcStatus): void;
  abort(status: RpcStatus): void;
}

/** Ends each channel once its queue is empty, and cuts the rest off when `over` resolves. Never rejects. */
export async function drainSessions(sessions: readonly Drainable[], over: Promise<void>): Promise<void> {
  const isFlushed = await Promise.race([Promise.all(sessions.map(finishWhenFlushed)), over]);
  if (isFlushed === undefined) for (const session of sessions) session.abort(goodbye);
}

const goodbye: RpcStatus = { code: StatusCode.unavailable, details: shuttingDownText };

async function finishWhenFlushed(session: Drainable): Promise<void> {
  await session.flushed();
  session.finish(goodbye);
}
