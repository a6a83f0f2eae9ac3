import { longestTimerMs } from "../clock.ts";
import { type TroupeError, UndeliverableException } from "../errors.ts";
import type { DeadReason } from "../state/durable-log.ts";
import { type OptionKinds, options as optionsOf } from "../validation/assert-options.ts";
import { number } from "../validation/option-kinds.ts";
import { anyTime, someRoom } from "../validation/option-values.ts";

/** Policy for messages that were not handled. All are optional. */
export interface RetryOptions {
  /** Times that a message is tried whose handler fails; after that it is a dead letter. Default: 5. */
  readonly attempts?: number | undefined;
  /** Milliseconds until the second try; each later wait is twice as long. Default: 1 000. */
  readonly initialDelayMs?: number | undefined;
  /** The longest wait, in milliseconds. Default: 300 000. */
  readonly maxDelayMs?: number | undefined;
  /** Largest part of each wait that chance takes away, from 0 to 1. Default: 0.5. */
  readonly jitter?: number | undefined;
  /** Milliseconds after which a message is given up that could not be delivered at all. Default: 7 days. */
  readonly giveUpAfterMs?: number | undefined;
}

export type RetrySettings = { readonly [Name in keyof RetryOptions]-?: NonNullable<RetryOptions[Name]> };

export const retryKinds: OptionKinds<RetryOptions> = {
  attempts: number(someRoom),
  initialDelayMs: number(anyTime),
  maxDelayMs: number(anyTime),
  jitter: number({ from: 0, to: 1 }),
  giveUpAfterMs: number(anyTime),
};

/** The kind of the option `retry`. */
export const retryKind = optionsOf<RetryOptions>(retryKinds);

/** Fills in the defaults. */
export function retrySettings(options: RetryOptions = {}): RetrySettings {
  return {
    attempts: options.attempts ?? 5,
    initialDelayMs: options.initialDelayMs ?? 1_000,
    maxDelayMs: options.maxDelayMs ?? 300_000,
    jitter: options.jitter ?? 0.5,
    giveUpAfterMs: options.giveUpAfterMs ?? 7 * 24 * 60 * 60 * 1_000,
  };
}

/** Counts the tries of a message. */
export interface Tries {
  /** Times that a handler may have seen it. */
  readonly attempts: number;
  /** Times in a row that it could not be delivered. */
  readonly waits: number;
}

export const noTries: Tries = { attempts: 0, waits: 0 };

/** The decision about a message that was not handled. */
export type RetryDecision =
  | { readonly at: "again"; readonly delayMs: number; readonly tries: Tries }
  | { readonly at: "bury"; readonly why: DeadReason };

const firstWaitMs = 100;
const longestWaitMs = 30_000;

/** Codes of errors that come again whenever the message does. A handler marks others itself. */
const finalCodes: ReadonlySet<string> = new Set([
  "invalid-message",
  "cant-handle",
  "not-authorized",
  "invalid-state",
  "state-too-large",
  "loop-detected",
]);

/** Errors after which nothing has changed. With `state-too-new` only workers of an older version are there. */
const unchangedCodes: ReadonlySet<string> = new Set(["state-unavailable", "mailbox-full", "state-too-new"]);

/** Errors of messages that no handler has seen. */
const undeliveredCodes: ReadonlySet<string> = new Set(["undeliverable", "overloaded", "shutting-down"]);

/** Decides about a message that failed. `ageMs`: since it was sent, or due. `random` is from 0 to 1. */
export function decideRetry(
  error: TroupeError,
  { attempts, waits }: Tries,
  { ageMs, random, settings }: { readonly ageMs: number; readonly random: number; readonly settings: RetrySettings },
): RetryDecision {
  const { code, message: text } = error;
  if (isUndelivered(error)) {
    if (ageMs >= settings.giveUpAfterMs) return { at: "bury", why: { code: "expired", text, attempts } };
    const delayMs = Math.min(longestWaitMs, firstWaitMs * 2 ** waits);
    return { at: "again", delayMs, tries: { attempts, waits: waits + 1 } };
  }
  const tried = attempts + 1;
  if (isFinal(error) || tried >= settings.attempts) return { at: "bury", why: { code, text, attempts: tried } };
  // The timer for a longer wait would never fire.
  const wholeMs = Math.min(settings.maxDelayMs, settings.initialDelayMs * 2 ** attempts, longestTimerMs);
  return { at: "again", delayMs: wholeMs * (1 - settings.jitter * random), tries: { attempts: tried, waits: 0 } };
}

function isFinal({ code, isFinal: isMarked }: TroupeError): boolean {
  return isMarked === true || finalCodes.has(code);
}

function isUndelivered(error: TroupeError): boolean {
  if (unchangedCodes.has(error.code)) return true;
  // Another host may say the code alone, without saying that no handler has seen the message.
  if (!undeliveredCodes.has(error.code)) return false;
  return error.code !== "shutting-down" || (error instanceof UndeliverableException && error.notHandled === true);
}
