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
  /** Called when neither an answer nor any other byte came in time, and when the session has ended and its socket stays open. */
  readonly onDead: () => void;
  /** Called when HTTP/2 has ended the session for an error of the peer, of which Node says nothing. Default: `onDead` in its time. */
  readonly onBroken?: () => void;
}

/** Pings a session at an interval, until the returned function is called. Call it when the session has closed. */
export function startKeepAlive(session: Http2Session, options: KeepAliveOptions): () => void {
  let stop: () => void;
  let isStopped = false;
  let isPeerLeaving = false;
  session.once("goaway", () => {
    isPeerLeaving = true;
  });
  const ping = (): void => {
    // Node waits for the peer to read what is left, and to close its side.
    if (session.destroyed) return options.onDead();
    // This side has said GOAWAY, and bounds the rest of the connection by other means.
    if (session.closed && !isPeerLeaving) return later();
    awaitSign(bytesRead(session));
    const onAnswer = options.beforeAsking();
    const { onBroken } = options;
    if (onBroken !== undefined) {
      const writtenBefore = bytesWritten(session);
      afterRead(() => afterRead(() => !isStopped && isMute(session, writtenBefore) && onBroken()));
    }
    ask(session, (error) => {
      if (isStopped) return;
      stop();
      // An answer overtakes the end of a stream that the peer sent before it. Node reads that in this turn.
      if (error === null && !session.destroyed) afterRead(onAnswer);
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
      if (session.destroyed) return options.onDead();
      const bytesNow = bytesRead(session);
      if (bytesNow === bytesBefore && options.isHeldBack?.() !== true) options.onDead();
      else awaitSign(bytesNow);
    });
    stop = () => timer.cancel();
  };
  later();
  return () => {
    isStopped = true;
    stop();
  };
}

/** Asks for an answer. Node sends no PING once the peer has sent a GOAWAY, so there an empty SETTINGS frame asks. */
function ask(session: Http2Session, onAnswer: (error: Error | null) => void): void {
  if (session.closed) session.settings({}, onAnswer);
  else session.ping(onAnswer);
}

/**
 * Whether the session sends nothing any more, although the socket would take it. After a frame that breaks HTTP/2, for instance one that is too
 * long, nghttp2 sends a GOAWAY and then neither reads nor writes. Node does not tell.
 */
function isMute(session: Http2Session, writtenBefore: number): boolean {
  if (session.destroyed || bytesWritten(session) !== writtenBefore) return false;
  const handle: unknown = Reflect.get(session.socket, "_handle");
  const queued: unknown =
    typeof handle === "object" && handle !== null ? Reflect.get(handle, "writeQueueSize") : undefined;
  return queued === 0 && (session.state.outboundQueueSize ?? 0) > 0;
}

function bytesWritten(session: Http2Session): number {
  return session.socket?.bytesWritten ?? 0;
}

function bytesRead(session: Http2Session): number {
  return session.socket?.bytesRead ?? 0;
}
