import type { Http2Session } from "node:http2";
import { realClock, setPatientTimer } from "../../../core/internal.ts";
import { clearTimeout, setTimeout } from "../../real-time.ts";
import { afterRead } from "./after-read.ts";

export interface KeepAliveOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Called for each ping; its result is called when the answer arrives. */
  readonly beforeAsking: () => () => void;
  /** Returns true while this side does not read the session. Default: it always does. */
  readonly isHeldBack?: () => boolean;
  /** Called when neither an answer nor any other byte came in time. */
  readonly onDead: () => void;
}

/** Pings a session at an interval, until the returned function is called. */
export function startKeepAlive(session: Http2Session, options: KeepAliveOptions): () => void {
  let stop: () => void;
  const ping = (): void => {
    if (session.destroyed) return;
    awaitSign(bytesRead(session));
    const onAnswer = options.beforeAsking();
    session.ping((error) => {
      stop();
      if (error !== null || session.destroyed) return;
      // An answer overtakes the end of a stream that the peer sent before it. Node reads that in this turn.
      afterRead(onAnswer);
      later();
    });
  };
  const later = (): void => {
    const timer = setTimeout(ping, options.intervalMs).unref();
    stop = () => clearTimeout(timer);
  };
  /**
   * On a slow connection the answer may wait behind other data, so any byte shows that the peer is alive. After this process was
   * busy, it first reads what has come.
   */
  const awaitSign = (bytesBefore: number): void => {
    const timer = setPatientTimer(realClock, options.timeoutMs, () => {
      if (session.destroyed) return;
      const bytesNow = bytesRead(session);
      if (bytesNow === bytesBefore && options.isHeldBack?.() !== true) options.onDead();
      else awaitSign(bytesNow);
    });
    stop = () => timer.cancel();
  };
  later();
  return () => stop();
}

function bytesRead(session: Http2Session): number {
  return session.socket?.bytesRead ?? 0;
}
