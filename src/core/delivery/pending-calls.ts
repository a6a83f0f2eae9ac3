import type { Clock } from "../clock.ts";
import type { CallBounds } from "./call-bounds.ts";
import { PendingCall } from "./pending-call.ts";

/** The calls of one party that wait for an answer, by id. A settled call is forgotten at once. */
export class PendingCalls<Answer> {
  readonly #calls = new Map<string, PendingCall<Answer>>();
  readonly #clock: Clock | undefined;

  constructor(options: { readonly clock?: Clock | undefined } = {}) {
    this.#clock = options.clock;
  }

  get size(): number {
    return this.#calls.size;
  }

  has(id: string): boolean {
    return this.#calls.has(id);
  }

  /** Opens a call under an id that is not in use; the promise settles exactly once, within the bounds. */
  open(id: string, bounds: CallBounds = {}): Promise<Answer> {
    const isBounded = bounds.signal !== undefined || bounds.timeoutMs !== undefined;
    const call = new PendingCall<Answer>(isBounded ? this.#forgetting(id, bounds) : undefined);
    if (!call.isSettled) this.#calls.set(id, call);
    return call.promise;
  }

  /** False when nobody waits under this id (unknown, late or second answer): then nothing happened. */
  resolve(id: string, answer: Answer): boolean {
    return this.#take(id)?.resolve(answer) ?? false;
  }

  /** As `resolve`, with a failure. */
  reject(id: string, error: unknown): boolean {
    return this.#take(id)?.reject(error) ?? false;
  }

  /** Ends all that wait; `makeError` gets each id, so that every caller has an error object of its own. */
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

  #forgetting(id: string, bounds: CallBounds): CallBounds {
    return {
      ...bounds,
      clock: bounds.clock ?? this.#clock,
      onGivenUp: (error) => {
        this.#calls.delete(id);
        bounds.onGivenUp?.(error);
      },
    };
  }
}
