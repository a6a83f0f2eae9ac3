import { getEventListeners } from "node:events";
import { vi } from "vitest";

/** Sees which signals get listeners for their abort. Disposing ends that. */
export class ListenedSignals implements Disposable {
  readonly #spy = vi.spyOn(EventTarget.prototype, "addEventListener");

  /** Signals that have a listener still and have not aborted. */
  get left(): number {
    return this.#all().filter((signal) => !signal.aborted && getEventListeners(signal, "abort").length > 0).length;
  }

  /** Signals that have got a listener. */
  get seen(): number {
    return this.#all().length;
  }

  [Symbol.dispose](): void {
    this.#spy.mockRestore();
  }

  #all(): readonly AbortSignal[] {
    return [...new Set(this.#spy.mock.contexts.filter((context) => context instanceof AbortSignal))];
  }
}
