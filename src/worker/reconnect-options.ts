import {
  anyRoom,
  anyTime,
  flag,
  number,
  type OptionKind,
  type OptionKinds,
  options as optionsOf,
  word,
} from "../core/internal.ts";

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
   * when the worker changes to a new connection after a GOAWAY. Each further attempt doubles that.
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

const policy = optionsOf<ReconnectOptions>({
  initialDelayMs: number(anyTime),
  maxDelayMs: number(anyTime),
  factor: number({ from: 1 }),
  jitter: number({ from: 0, to: 1 }),
  maxAttempts: number(anyRoom),
  startWaits: flag,
});

export const reconnectKind: OptionKind = {
  ...policy,
  expected: "false or an object of options",
  accepts: (value) => value === false || policy.accepts(value),
};

export const whileDisconnectedKinds: OptionKinds<WhileDisconnectedOptions> = {
  events: word("queue", "reject"),
  calls: word("queue", "reject"),
  callWaitMs: number(anyTime),
  maxQueuedMessages: number(anyRoom),
  maxQueuedBytes: number(anyRoom),
};

/** Applies the defaults. With `false` the worker makes one attempt, and the loss of the host ends the run. */
export function reconnectSettings(options: ReconnectOptions | false = {}): ReconnectSettings {
  const given = options === false ? { maxAttempts: 0 } : options;
  return {
    initialDelayMs: given.initialDelayMs ?? 100,
    maxDelayMs: given.maxDelayMs ?? 5_000,
    factor: given.factor ?? 2,
    jitter: given.jitter ?? 0.5,
    maxAttempts: given.maxAttempts ?? Number.POSITIVE_INFINITY,
    startWaits: given.startWaits ?? false,
  };
}

/** Applies the defaults. */
export function whileDisconnectedSettings(options: WhileDisconnectedOptions = {}): WhileDisconnectedSettings {
  return {
    events: options.events ?? "queue",
    calls: options.calls ?? "reject",
    callWaitMs: options.callWaitMs ?? 1_000,
    maxQueuedMessages: options.maxQueuedMessages ?? 1_000,
    maxQueuedBytes: options.maxQueuedBytes ?? 8 * 1024 * 1024,
  };
}
