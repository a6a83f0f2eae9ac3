import type { MemoryAccount } from "../../transport/internal.ts";

/** Messages that wait for their places, counted by the accounts of their senders. */
export class SenderWaits {
  readonly #counts = new Map<MemoryAccount, number>();
  readonly #listeners = new Map<MemoryAccount, Set<() => void>>();

  add(account: MemoryAccount): void {
    this.#counts.set(account, (this.#counts.get(account) ?? 0) + 1);
  }

  remove(account: MemoryAccount): void {
    const left = (this.#counts.get(account) ?? 0) - 1;
    if (left > 0) return void this.#counts.set(account, left);
    this.#counts.delete(account);
    for (const listener of this.#listeners.get(account) ?? []) listener();
  }

  /** Calls back when nothing of a sender waits any more. Undefined: nothing waits. The returned function ends that. */
  whenOver(account: MemoryAccount, onOver: () => void): (() => void) | undefined {
    if (!this.#counts.has(account)) return undefined;
    const listeners = this.#listeners.get(account) ?? new Set();
    this.#listeners.set(account, listeners);
    const end = (): void => {
      listeners.delete(look);
      if (listeners.size === 0) this.#listeners.delete(account);
    };
    // A message may go from one wait to the next.
    const look = (): void =>
      queueMicrotask(() => {
        if (this.#counts.has(account) || !listeners.has(look)) return;
        end();
        onOver();
      });
    listeners.add(look);
    return end;
  }
}
