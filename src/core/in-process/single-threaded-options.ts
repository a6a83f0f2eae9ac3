import type { CronPatterns } from "../courier/reminders/when.ts";
import { type RetryOptions, retryKind } from "../courier/retry-policy.ts";
import { type RuntimeOptions, runtimeKinds } from "../runtime-options.ts";
import type { StateStore } from "../state/state-store.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { flag, number, stateStore, withMethods } from "../validation/option-kinds.ts";
import { anyTime, someTime } from "../validation/option-values.ts";

/** Options of `SingleThreadedAgentRuntime`. All are optional. */
export interface SingleThreadedAgentRuntimeOptions extends RuntimeOptions {
  /**
   * Whether the runtime only logs the failure of an event's handler. Default: true. False: the next `processNext`, `stop`,
   * `stopWhenIdle` or `stopWhen` rejects with the error, and the runtime processes no more messages.
   */
  readonly ignoreUnhandledExceptions?: boolean | undefined;
  /**
   * Whether the runtime refuses calls, events and answers that a worker could not send, with `invalid-message`: plain values,
   * undeclared objects, message types, promises. It checks only the type of a message, not its fields. Default: true. False: it
   * delivers every value.
   */
  readonly checksMessages?: boolean | undefined;
  /**
   * Milliseconds that disposal gives handlers to finish before it stops. `close` and disposal give agents the same time to close,
   * but at least 5 000. Default: 5 000.
   */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * Store of the states of persistent agents, of reminders and of told messages. The runtime opens it when it starts; you close it.
   * Default: a `MemoryStateStore`, which lives as long as the runtime object.
   */
  readonly stateStore?: StateStore | undefined;
  /** Reads the cron patterns of reminders: `cronPatterns` of `troupe/cron`. Default: reminders can't have any. */
  readonly cron?: CronPatterns | undefined;
  /** Policy for told messages and reminders whose handler fails. */
  readonly retry?: RetryOptions | undefined;
  /** Milliseconds that the handler of a told message or of a reminder may take. Default: 300 000. */
  readonly handlerTimeoutMs?: number | undefined;
}

const optionsShape = optionShape<SingleThreadedAgentRuntimeOptions>({
  ...runtimeKinds,
  ignoreUnhandledExceptions: flag,
  checksMessages: flag,
  drainTimeoutMs: number(anyTime),
  stateStore,
  cron: withMethods("the cronPatterns of troupe/cron", "next"),
  retry: retryKind,
  handlerTimeoutMs: number(someTime),
});

/** Throws `invalid-argument` for unknown options, and for values of a wrong kind. */
export function assertRuntimeOptions(options: SingleThreadedAgentRuntimeOptions): void {
  assertOptions(options, optionsShape, "SingleThreadedAgentRuntime");
}
