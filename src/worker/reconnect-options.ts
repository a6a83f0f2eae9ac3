import { anyRoom, anyTime, assertNumbers, assertWord, type NumberRanges, TroupeError } from "../core/internal.ts";

/** Reconnect policy of a worker that has lost its host. All optional. */
export interface ReconnectOptions {
  /** Milliseconds before the first attempt. Default 100. */
  readonly initialDelayMs?: number | undefined;
  /**
   * The longest delay, in milliseconds. Default 5 000. After a connection that lasted longer, delays begin again with
   * `initialDelayMs`.
   */
  readonly maxDelayMs?: number | undefined;
  /** Factor by which each delay exceeds the one before. Default 2. */
  readonly factor?: number | undefined;
  /** Largest part of each delay that chance takes away, from 0 to 1. It spreads the attempts of many workers. Default 0.5. */
  readonly jitter?: number | undefined;
  /** Failed attempts in a row after which the worker gives up: `closed` resolves. Default: no limit. */
  readonly maxAttempts?: number | undefined;
  /** Whether `start` retries until a host is there, as after a loss. Default false: `start` rejects. */
  readonly startWaits?: boolean | undefined;
}

/** Policy for messages that are sent while there is no host. All optional. */
export interface WhileDisconnectedOptions {
  /**
   * `queue` (default): events wait, and the worker sends them in order when it has reconnected. `reject`: publishing fails
   * (`disconnected`).
   */
  readonly events?: "queue" | "reject" | undefined;
  /**
   * `reject` (default): a call fails (`disconnected`) unless the worker reconnects within `callWaitMs`. `queue`: a call waits
   * within its own timeout and signal.
   */
  readonly calls?: "queue" | "reject" | undefined;
  /**
   * Milliseconds that a call waits for a connection with `calls: "reject"`. Default: 1000. Messages wait for half of it at most
   * when the worker changes to a new connection after a GOAWAY.
   */
  readonly callWaitMs?: number | undefined;
  /** Largest number of events and calls that wait. Beyond it, sending fails (`overloaded`). Default 1 000. */
  readonly maxQueuedMessages?: number | undefined;
  /** The same bound in bytes. Default 8 MiB. */
  readonly maxQueuedBytes?: number | undefined;
}

export type ReconnectSettings = { readonly [Name in keyof ReconnectOptions]-?: NonNullable<ReconnectOptions[Name]> };

export type WhileDisconnectedSettings = {
  readonly [Name in keyof WhileDisconnectedOptions]-?: NonNullable<WhileDisconnectedOptions[Name]>;
};

/**
 * Applies the defaults. With `false` the worker makes one attempt, and the loss of the host ends the run. Throws
 * `invalid-argument` for numbers outside their range.
 */
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

/** Applies the defaults. Throws `invalid-argument` for numbers outside their range and for unknown words. */
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
