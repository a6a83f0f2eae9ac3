import { CancelledError } from "./errors.ts";
import { assertSignal } from "./validation/assert-arguments.ts";

/** The options of whatever may wait for an agent, a handler or a host. */
export interface WaitOptions {
  /**
   * Aborting it rejects with `CancelledError` (code `cancelled`), whose `cause` is the signal's reason. Aborted beforehand,
   * nothing is done. Default: it is waited for until it is done or the runtime gives up.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Throws `CancelledError` when the signal has aborted, `invalid-argument` for what is no signal. `what` begins the text. */
export function assertNotAborted({ signal }: WaitOptions, what: string): void {
  if (signal === undefined) return;
  assertSignal(signal);
  if (signal.aborted) throw cancelled(signal, what);
}

/** Resolves or rejects as `work` does, or rejects with `CancelledError` as soon as the signal aborts. The work goes on then. */
export function untilAborted<T>(work: T | Promise<T>, { signal }: WaitOptions, what: string): T | Promise<T> {
  if (signal === undefined || !(work instanceof Promise)) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(cancelled(signal, what));
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function cancelled({ reason }: AbortSignal, what: string): CancelledError {
  return new CancelledError(`${what} was cancelled.`, { cause: reason });
}
