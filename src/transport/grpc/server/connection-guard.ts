import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { MutableListenerCounters } from "../../listener-counters.ts";

export interface ConnectionGuardParts {
  readonly http2: ServerHttp2Session;
  readonly counters: MutableListenerCounters;
  readonly handshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxResetsPerMinute: number;
  /** Ends the connection and with it every call, once what is being read has been read. */
  readonly cut: (reason: string, code: number) => void;
}

const MINUTE_MS = 60_000;
/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/** Ends a connection whose client never says hello, has nothing to say for long, or opens calls to reset them. */
export class ConnectionGuard {
  readonly #parts: ConnectionGuardParts;
  #timer: NodeJS.Timeout | undefined;
  #hasOpened = false;
  #streams = 0;
  #resets = 0;
  #minuteBeganMs = performance.now();

  constructor(parts: ConnectionGuardParts) {
    this.#parts = parts;
    const { http2, handshakeTimeoutMs } = parts;
    this.#timer = timerOf(handshakeTimeoutMs, () => this.#onSilence());
    http2.once("remoteSettings", () => this.#onOpened());
    http2.once("close", () => clearTimeout(this.#timer));
  }

  /** A call has begun on the connection. */
  onStream(stream: ServerHttp2Stream): void {
    const { counters } = this.#parts;
    this.#streams += 1;
    counters.streams += 1;
    stream.once("close", () => {
      this.#streams -= 1;
      counters.streams -= 1;
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) this.#onReset();
      if (this.#streams === 0) this.#timer?.refresh();
    });
  }

  #onOpened(): void {
    this.#hasOpened = true;
    clearTimeout(this.#timer);
    this.#timer = timerOf(this.#parts.idleTimeoutMs, () => this.#onSilence());
  }

  #onSilence(): void {
    const { http2, counters, cut, handshakeTimeoutMs, idleTimeoutMs } = this.#parts;
    // Whoever has calls is not idle; the last of them starts the wait anew.
    if (this.#streams > 0 || http2.destroyed) return;
    if (this.#hasOpened) {
      counters.idleConnections += 1;
      cut(`The connection had no call for ${idleTimeoutMs} ms.`, constants.NGHTTP2_NO_ERROR);
    } else {
      counters.unopenedConnections += 1;
      cut(`The client did not open HTTP/2 within ${handshakeTimeoutMs} ms.`, constants.NGHTTP2_SETTINGS_TIMEOUT);
    }
  }

  #onReset(): void {
    const { http2, counters, cut, maxResetsPerMinute } = this.#parts;
    counters.resetStreams += 1;
    // Calls that end with their connection are no resets of the client's.
    if (http2.destroyed) return;
    const nowMs = performance.now();
    if (nowMs - this.#minuteBeganMs > MINUTE_MS) {
      this.#minuteBeganMs = nowMs;
      this.#resets = 0;
    }
    this.#resets += 1;
    // Those that follow are read before the connection is cut.
    if (this.#resets !== maxResetsPerMinute + 1) return;
    counters.floodingConnections += 1;
    cut(`The client reset more than ${maxResetsPerMinute} calls in a minute.`, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** Undefined for a wait without end. A listener's timers keep no process alive. */
function timerOf(delayMs: number, onPassed: () => void): NodeJS.Timeout | undefined {
  return Number.isFinite(delayMs) && delayMs > 0
    ? setTimeout(onPassed, Math.min(delayMs, LONGEST_TIMER_MS)).unref()
    : undefined;
}
