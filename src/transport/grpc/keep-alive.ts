import type { ClientHttp2Session } from "node:http2";

export interface KeepAliveOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** No answer came in time. */
  readonly onDead: () => void;
}

/** Pings a session at an interval until the returned function is called. */
export function startKeepAlive(session: ClientHttp2Session, options: KeepAliveOptions): () => void {
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    timer = setTimeout(ping, options.intervalMs).unref();
  };
  const ping = (): void => {
    if (session.destroyed) return;
    timer = setTimeout(options.onDead, options.timeoutMs).unref();
    session.ping((error) => {
      clearTimeout(timer);
      if (error === null && !session.destroyed) wait();
    });
  };
  wait();
  return () => clearTimeout(timer);
}
