import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { MutableListenerCounters } from "../../listener-counters.ts";
import { clearTimeout, nowMs, setImmediate, setTimeout } from "../../real-time.ts";
import { RESET_MS } from "../turns/costs.ts";
import type { Lane } from "../turns/lane.ts";

export interface ConnectionGuardParts {
  readonly http2: ServerHttp2Session;
  readonly counters: MutableListenerCounters;
  readonly lane: Lane;
  readonly handshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxResetsPerMinute: number;
  /** Ends the connection with every call, after the current read. */
  readonly cut: (reason: string, code: number) => void;
  /** Called when the connection is cut for too many resets. */
  readonly onFlood: () => void;
}

const MINUTE_MS = 60_000;
/** Longest delay that Node's timers accept; a longer one fires immediately. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/** Ends connections that do not complete the handshake, stay without calls for too long, or reset too many calls. */
export class ConnectionGuard {
  readonly #parts: ConnectionGuardParts;
  #timer: NodeJS.Timeout | undefined;
  #hasOpened = false;
  #streams = 0;
  #resets = 0;
  #minuteBeganMs = nowMs();

  constructor(parts: ConnectionGuardParts) {
    this.#parts = parts;
    const { http2, handshakeTimeoutMs } = parts;
    this.#timer = timerOf(handshakeTimeoutMs, () => this.#onTimer());
    http2.once("remoteSettings", () => this.#onOpened());
    http2.once("close", () => clearTimeout(this.#timer));
  }

  /** Notes a new call on the connection. */
  onStream(stream: ServerHttp2Stream): void {
    const { counters, lane } = this.#parts;
    lane.openCall();
    this.#streams += 1;
    counters.streams += 1;
    stream.once("close", () => {
      lane.endCall();
      this.#streams -= 1;
      counters.streams -= 1;
      // A client may also reset a call with NO_ERROR; the end of its connection aborts calls with any code.
      const { http2 } = this.#parts;
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || (stream.aborted && !http2.destroyed)) this.#onReset();
      if (this.#streams === 0) this.#timer?.refresh();
    });
  }

  #onOpened(): void {
    this.#hasOpened = true;
    clearTimeout(this.#timer);
    this.#timer = timerOf(this.#parts.idleTimeoutMs, () => this.#onTimer());
  }

  /** Reads what has come before it judges: a client is not to blame for what this side has not read. */
  #onTimer(): void {
    const timer = this.#timer;
    if (this.#parts.lane.isHeld) timer?.refresh();
    else
      setImmediate(() => {
        if (timer !== this.#timer) return;
        if (this.#parts.lane.isHeld) timer?.refresh();
        else this.#onSilence();
      });
  }

  #onSilence(): void {
    const { counters, cut, handshakeTimeoutMs, idleTimeoutMs } = this.#parts;
    // A connection with calls is not idle. The end of its last call restarts the timer.
    if (this.#streams > 0) return;
    if (this.#hasOpened) {
      counters.idleConnections += 1;
      cut(`The connection had no call for ${idleTimeoutMs} ms.`, constants.NGHTTP2_NO_ERROR);
    } else {
      counters.unopenedConnections += 1;
      cut(`The client did not open HTTP/2 within ${handshakeTimeoutMs} ms.`, constants.NGHTTP2_SETTINGS_TIMEOUT);
    }
  }

  #onReset(): void {
    const { http2, counters, cut, lane, onFlood, maxResetsPerMinute } = this.#parts;
    counters.resetStreams += 1;
    lane.charge(RESET_MS);
    // Calls that end with their connection are not resets by the client.
    if (http2.destroyed) return;
    const atMs = nowMs();
    if (atMs - this.#minuteBeganMs > MINUTE_MS) {
      this.#minuteBeganMs = atMs;
      this.#resets = 0;
    }
    this.#resets += 1;
    // The connection is cut only once, while later resets are still being read.
    if (this.#resets !== maxResetsPerMinute + 1) return;
    counters.floodingConnections += 1;
    onFlood();
    cut(`The client reset more than ${maxResetsPerMinute} calls in a minute.`, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** Starts a timer that does not keep the process alive. Returns undefined for an unlimited delay. */
function timerOf(delayMs: number, onPassed: () => void): NodeJS.Timeout | undefined {
  return Number.isFinite(delayMs) && delayMs > 0
    ? setTimeout(onPassed, Math.min(delayMs, LONGEST_TIMER_MS)).unref()
    : undefined;
}
