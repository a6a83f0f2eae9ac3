import type { PendingCall } from "./pending-call.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The calls that one worker waits for. They are found by its own request ids from its first cancel on, until it waits for
 * none: most workers cancel nothing, and need not pay for an index.
 */
export class AskedCalls {
  readonly #calls = new Set<PendingCall>();
  #byOwnId: Map<string, PendingCall> | undefined;

  get size(): number {
    return this.#calls.size;
  }

  [Symbol.iterator](): Iterator<PendingCall> {
    return this.#calls.values();
  }

  add(call: PendingCall): void {
    this.#calls.add(call);
    this.#byOwnId?.set(ownIdOf(call), call);
  }

  delete(call: PendingCall): void {
    this.#calls.delete(call);
    if (this.#byOwnId === undefined) return;
    const ownId = ownIdOf(call);
    if (this.#byOwnId.get(ownId) === call) this.#byOwnId.delete(ownId);
    if (this.#calls.size === 0) this.#byOwnId = undefined;
  }

  /** The call that the worker made under this id; the latest of several. */
  named(ownId: string): PendingCall | undefined {
    if (this.#calls.size === 0) return undefined;
    this.#byOwnId ??= new Map([...this.#calls].map((call) => [ownIdOf(call), call]));
    return this.#byOwnId.get(ownId);
  }
}

/** The id under which its caller knows a call. */
export function ownIdOf({ callerId }: PendingCall): string {
  return decoder.decode(callerId);
}
