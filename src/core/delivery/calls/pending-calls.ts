import { type Clock, systemClock } from "../../clock.ts";
import { deadlineAfter } from "../../scope/deadline.ts";
import type { CallBounds } from "./call-bounds.ts";
import { PendingCall } from "./pending-call.ts";

/** The bounds of a call, and its recipient for the text of `TimedOutError`. */
export interface NamedCallBounds extends CallBounds {
  readonly recipient?: { toString(): string } | undefined;
  /** Returns the text of `TimedOutError` of a request that is not a call. Default: that of a call. */
  readonly timedOut?: ((ms: number | undefined) => string) | undefined;
}

/** The pending calls of one runtime or connection, by id. It drops a settled call at once. */
export class PendingCalls<Answer> {
  readonly #calls = new Map<string, PendingCall<Answer>>();
  readonly #clock: Clock;

  constructor(options: { readonly clock?: Clock | undefined } = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  get size(): number {
    return this.#calls.size;
  }

  has(id: string): boolean {
    return this.#calls.has(id);
  }

  /** Opens a call under an id that is not in use. Its promise settles exactly once, within the bounds. */
  open(id: string, bounds: NamedCallBounds = {}): Promise<Answer> {
    const call = new NamedCall<Answer>(id, this.#calls, bounds.timedOut);
    this.#calls.set(id, call);
    const { signal, timeoutMs, recipient } = bounds;
    if (signal !== undefined || timeoutMs !== undefined) {
      call.within(bounds, deadlineAfter(timeoutMs, this.#clock), recipient);
    }
    return call.promise;
  }

  /** Returns false when no caller waits under this id (unknown, late or second answer). Then nothing happened. */
  resolve(id: string, answer: Answer): boolean {
    return this.#take(id)?.resolve(answer) ?? false;
  }

  /** The same as `resolve`, with a failure. */
  reject(id: string, error: unknown): boolean {
    return this.#take(id)?.reject(error) ?? false;
  }

  /** Ends all pending calls. It calls `makeError` with each id, so that every caller has its own error object. */
  rejectAll(makeError: (id: string) => unknown): number {
    const ids = [...this.#calls.keys()];
    for (const id of ids) this.reject(id, makeError(id));
    return ids.length;
  }

  #take(id: string): PendingCall<Answer> | undefined {
    const call = this.#calls.get(id);
    if (call !== undefined) this.#calls.delete(id);
    return call;
  }
}

class NamedCall<Answer> extends PendingCall<Answer> {
  readonly #id: string;
  readonly #calls: Map<string, PendingCall<Answer>>;
  readonly #timedOut: NamedCallBounds["timedOut"];

  constructor(id: string, calls: Map<string, PendingCall<Answer>>, timedOut: NamedCallBounds["timedOut"]) {
    super();
    this.#id = id;
    this.#calls = calls;
    this.#timedOut = timedOut;
  }

  protected override describeTimeout(ms: number | undefined, recipient: { toString(): string } | undefined): string {
    return this.#timedOut?.(ms) ?? super.describeTimeout(ms, recipient);
  }

  protected override onGivenUp(): void {
    this.#calls.delete(this.#id);
  }
}
