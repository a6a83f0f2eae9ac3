import { brandClass } from "./copies.ts";
import { CancelledError } from "./errors.ts";
import { followAbort, unfollowAbort } from "./follow-abort.ts";
import { isThenable } from "./thenable.ts";
import { wrongValue } from "./validation/option-values.ts";

// protocol.md §5.6
/**
 * AutoGen's cancellation token, over an `AbortController`. Pass `token.signal` wherever an `AbortSignal` is expected.
 */
export class CancellationToken {
  readonly #controller = new AbortController();
  readonly #callbacks: (() => void)[] = [];

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  isCancelled(): boolean {
    return this.#controller.signal.aborted;
  }

  /**
   * Aborts the signal, then runs the callbacks in the order they were added. All callbacks run even if some throw; then
   * their errors are thrown. May be called twice.
   */
  cancel(reason?: unknown): void {
    if (this.isCancelled()) return;
    this.#controller.abort(reason);
    const failures: unknown[] = [];
    for (const callback of this.#callbacks.splice(0)) {
      try {
        callback();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, "Several callbacks of a cancellation token failed.");
  }

  /** Adds a callback for the cancellation. Runs it immediately if the token is already cancelled. */
  addCallback(callback: () => void): void {
    if (typeof callback !== "function") throw wrongValue("The callback of a token must be a function", callback);
    if (this.isCancelled()) callback();
    else this.#callbacks.push(callback);
  }

  /** Settles as the promise does, or rejects with `CancelledError` as soon as the token is cancelled. */
  linkFuture<T>(future: Promise<T>): Promise<T> {
    if (!isThenable(future)) throw wrongValue("What linkFuture links must be a promise", future);
    return new Promise<T>((resolve, reject) => {
      const { signal } = this;
      const onAbort = () => reject(new CancelledError(undefined, { cause: signal.reason }));
      const forget = () => unfollowAbort(signal, onAbort);
      if (signal.aborted) onAbort();
      else followAbort(signal, onAbort);
      Promise.resolve(future).then(resolve, reject).finally(forget);
    });
  }
}
brandClass(CancellationToken, "CancellationToken");
