import { anyRoom, anyTime, assertNumbers, assertWord, type NumberRanges, TroupeError } from "../core/internal.ts";

/** How a worker comes back after it has lost its host. All optional. */
export interface ReconnectOptions {
  /** Milliseconds before the first attempt. Default 100. */
  readonly initialDelayMs?: number | undefined;
  /** The longest delay, in milliseconds. Default 5 000. A connection that stood longer makes the next loss begin anew. */
  readonly maxDelayMs?: number | undefined;
  /** Each delay is so many times the one before. Default 2. */
  readonly factor?: number | undefined;
  /** The part of each delay that chance may take away, from 0 to 1, so that many workers don't come at once. Default 0.5. */
  readonly jitter?: number | undefined;
  /** After so many failed attempts in a row the worker gives up: `closed` resolves. Default: never. */
  readonly maxAttempts?: number | undefined;
  /** Whether `start` waits for a host that is not there yet, as a lost one is waited for; else it rejects. Default false. */
  readonly startWaits?: boolean | undefined;
}

/** What becomes of what is sent while there is no host. All optional. */
export interface WhileDisconnectedOptions {
  /** `queue` (default): events wait and are sent in order when the worker is back. `reject`: publishing fails (`disconnected`). */
  readonly events?: "queue" | "reject" | undefined;
  /** `reject` (default): a call fails (`disconnected`) unless the worker is back within `callWaitMs`. `queue`: it waits within its own bounds. */
  readonly calls?: "queue" | "reject" | undefined;
  /** Milliseconds. Default 1 000. */
  readonly callWaitMs?: number | undefined;
  /** Events and calls that wait; beyond that, and beyond `maxQueuedBytes`, sending fails (`overloaded`). Default 1 000. */
  readonly maxQueuedMessages?: number | undefined;
  /** Default 8 MiB. */
  readonly maxQueuedBytes?: number | undefined;
}

export type ReconnectSettings = { readonly [Name in keyof ReconnectOptions]-?: NonNullable<ReconnectOptions[Name]> };

export type WhileDisconnectedSettings = {
  readonly [Name in keyof WhileDisconnectedOptions]-?: NonNullable<WhileDisconnectedOptions[Name]>;
};

/** With `false` one attempt is made, and a lost host is the end. Throws `invalid-argument` for numbers that can't be meant. */
export function reconnectSettings(options: ReconnectOptions | false = {}): ReconnectSettings {
  const given = options === false ? { maxAttempts: 0 } : options;
  const settings = {
    initialDelayMs: given.initialDelayMs ?? 100,
    maxDelayMs: given.maxDelayMs ?? 5_000,
    factor: given.factor ?? 2,
    jitter: given.jitter ?? 0.5,
    maxAttempts: given.maxAttempts ?? Number.POSITIVE_INFINITY,
    startWaits: given.startWaits ?? false,
  };
  const { initialDelayMs, maxDelayMs, factor, jitter, maxAttempts } = settings;
  const isRight =
    initialDelayMs >= 0 && maxDelayMs >= 0 && factor >= 1 && jitter >= 0 && jitter <= 1 && maxAttempts >= 0;
  if (isRight) return settings;
  throw new TroupeError(
    "invalid-argument",
    "reconnect takes delays and maxAttempts of 0 or more, a factor of 1 or more, and a jitter from 0 to 1.",
  );
}

const waitingRanges: NumberRanges<WhileDisconnectedOptions> = {
  callWaitMs: anyTime,
  maxQueuedMessages: anyRoom,
  maxQueuedBytes: anyRoom,
};

/** Throws `invalid-argument` for numbers and words that can't be meant. */
export function whileDisconnectedSettings(options: WhileDisconnectedOptions = {}): WhileDisconnectedSettings {
  assertNumbers(options, waitingRanges);
  assertWord("whileDisconnected.events", options.events, ["queue", "reject"]);
  assertWord("whileDisconnected.calls", options.calls, ["queue", "reject"]);
  return {
    events: options.events ?? "queue",
    calls: options.calls ?? "reject",
    callWaitMs: options.callWaitMs ?? 1_000,
    maxQueuedMessages: options.maxQueuedMessages ?? 1_000,
    maxQueuedBytes: options.maxQueuedBytes ?? 8 * 1024 * 1024,
  };
}
