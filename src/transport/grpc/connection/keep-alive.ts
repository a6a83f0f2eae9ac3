import type { Http2Session } from "node:http2";
import { clearTimeout, setTimeout } from "../../real-time.ts";

export interface KeepAliveOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Called for each ping; its result is called when the answer arrives. */
  readonly beforeAsking: () => () => void;
  /** Called when neither an answer nor any other byte came in time. */
  readonly onDead: () => void;
}

/** Pings a session at an interval, until the returned function is called. */
export function startKeepAlive(session: Http2Session, options: KeepAliveOptions): () => void {
  let timer: NodeJS.Timeout;
  const later = (what: () => void, delayMs: number): void => {
    timer = setTimeout(what, delayMs).unref();
  };
  const ping = (): void => {
    if (session.destroyed) return;
    awaitSign(bytesRead(session));
    const onAnswer = options.beforeAsking();
    session.ping((error) => {
      clearTimeout(timer);
      if (error !== null || session.destroyed) return;
      onAnswer();
      later(ping, options.intervalMs);
    });
  };
  /** On a slow connection the answer may wait behind other data, so any byte shows that the peer is alive. */
  const awaitSign = (bytesBefore: number): void =>
    later(() => {
      if (session.destroyed) return;
      const bytesNow = bytesRead(session);
      if (bytesNow === bytesBefore) options.onDead();
      else awaitSign(bytesNow);
    }, options.timeoutMs);
  later(ping, options.intervalMs);
  return () => clearTimeout(timer);
}

function bytesRead(session: Http2Session): number {
  return session.socket?.bytesRead ?? 0;
}
