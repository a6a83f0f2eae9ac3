import { type CallBounds, type Deadline, type HandlerContext, isThenable, PendingCall } from "../../core/internal.ts";

export interface InterventionWaitOptions {
  /** Bounds of the call or event; they count from the moment at which the user made it. */
  readonly bounds: CallBounds;
  /** Whether the intervention decides before the message is sent. */
  readonly isBefore: boolean;
  readonly deadline: Deadline | undefined;
  readonly recipient?: { toString(): string } | undefined;
  /** The context that the intervention sees. Its signal aborts when the wait is given up. */
  readonly context?: HandlerContext;
  /** Returns the text of `TimedOutError`. Not needed without a deadline. */
  readonly timedOut?: TimedOut | undefined;
}

type TimedOut = (ms: number | undefined, recipient: { toString(): string } | undefined) => string;

/** Makes the error of a wait that the end of a run gives up. `notHandled`: it is certain that no handler has seen the message. */
type MakeEndError = (notHandled: boolean) => Error;

class InterventionWait extends PendingCall<unknown> {
  readonly isBefore: boolean;
  readonly #timedOut: TimedOut | undefined;

  constructor({ isBefore, timedOut }: InterventionWaitOptions) {
    super();
    this.isBefore = isBefore;
    this.#timedOut = timedOut;
  }

  protected override describeTimeout(ms: number | undefined, recipient: { toString(): string } | undefined): string {
    return this.#timedOut?.(ms, recipient) ?? super.describeTimeout(ms, recipient);
  }
}

/** Waits for asynchronous interventions, a human approval for instance. A bound, or the end of the runtime, ends each wait. */
export class InterventionWaits {
  readonly #waits = new Set<InterventionWait>();
  readonly #onSettled = new Set<() => void>();
  /** Makes the error of a wait that begins after the end of the run. Undefined: the run continues. */
  #makeEndError: MakeEndError | undefined;

  /** Number of messages for which an intervention has not decided yet. */
  get size(): number {
    return this.#waits.size;
  }

  /** Settles as `decided` does, or rejects first when a bound is reached. A later decision is ignored. */
  of(decided: unknown, options: InterventionWaitOptions): unknown {
    return isThenable(decided) ? this.#within(decided, options) : decided;
  }

  /** Gives up every wait, and those that begin before `reopen`. `makeError` is called for each, so that each has its own error object. */
  rejectAll(makeError: MakeEndError): void {
    this.#makeEndError = makeError;
    for (const wait of this.#waits) wait.reject(makeError(wait.isBefore));
  }

  /** Allows waits again after `rejectAll`, for the next run. */
  reopen(): void {
    this.#makeEndError = undefined;
  }

  /** Resolves when no wait is left. */
  async settled(): Promise<void> {
    if (this.#waits.size > 0) await new Promise<void>((resolve) => this.#onSettled.add(resolve));
  }

  async #within(decided: PromiseLike<unknown>, options: InterventionWaitOptions): Promise<unknown> {
    const { bounds, deadline, recipient, context } = options;
    const wait = new InterventionWait(options);
    let isDecided = false;
    const settle = (pass: () => void) => {
      isDecided ||= !wait.isSettled;
      pass();
    };
    decided.then(
      (result) => settle(() => wait.resolve(result)),
      (error) => settle(() => wait.reject(error)),
    );
    this.#waits.add(wait);
    if (this.#makeEndError === undefined) wait.within(bounds, deadline, recipient);
    else wait.reject(this.#makeEndError(wait.isBefore));
    try {
      return await wait.promise;
    } catch (error) {
      if (!isDecided) context?.abort(error);
      throw error;
    } finally {
      this.#waits.delete(wait);
      if (this.#waits.size === 0) this.#tellSettled();
    }
  }

  #tellSettled(): void {
    for (const resolve of this.#onSettled) resolve();
    this.#onSettled.clear();
  }
}
