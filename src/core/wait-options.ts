import { CancelledError } from "./errors.ts";
import { followAbort, unfollowAbort } from "./follow-abort.ts";
import { assertOptions, type OptionKinds, optionShape } from "./validation/assert-options.ts";
import { assertSignal, signal } from "./validation/option-kinds.ts";

declare global {
  // The members that this package's declarations rely on. They merge with those of Node and of browsers, and are all that a program
  // sees which has the types of neither.
  interface AbortSignal {
    readonly aborted: boolean;
    // biome-ignore lint/suspicious/noExplicitAny: the type that Node and browsers give it
    readonly reason: any;
    throwIfAborted(): void;
  }
}

/** The options of every method that may wait for an agent, a handler or a host. */
export interface WaitOptions {
  /**
   * Aborting ends the wait with `CancelledError` (code `cancelled`); its `cause` is the signal's reason. When the signal has
   * aborted before, the method does nothing. Default: no signal ends the wait.
   */
  readonly signal?: AbortSignal | undefined;
}

export const waitKinds: OptionKinds<WaitOptions> = { signal };
const waitShape = optionShape<WaitOptions>(waitKinds);

/** Checks the options of a method that takes no others. Throws `invalid-argument`. `taker` names it in the error. */
export function assertWaitOptions(options: unknown, taker: string): void {
  if (options !== undefined) assertOptions(options, waitShape, taker);
}

/** Throws `CancelledError` when the signal has aborted, `invalid-argument` when it is not a signal. `what` begins the text. */
export function assertNotAborted({ signal }: WaitOptions, what: string): void {
  if (signal === undefined) return;
  assertSignal(signal);
  if (signal.aborted) throw cancelled(signal, what);
}

/** Settles as `work` does, or rejects with `CancelledError` as soon as the signal aborts. The work itself continues. */
export function untilAborted<T>(work: T | Promise<T>, { signal }: WaitOptions, what: string): T | Promise<T> {
  if (signal === undefined || !(work instanceof Promise)) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(cancelled(signal, what));
    followAbort(signal, onAbort);
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => unfollowAbort(signal, onAbort));
  });
}

/** Begins the work, unless the signal has aborted, and waits for it until the signal aborts. */
export async function waitFor<T>(what: string, options: WaitOptions, begin: () => T | Promise<T>): Promise<T> {
  assertNotAborted(options, what);
  return untilAborted(begin(), options, what);
}

function cancelled({ reason }: AbortSignal, what: string): CancelledError {
  return new CancelledError(`${what} was cancelled.`, { cause: reason });
}
