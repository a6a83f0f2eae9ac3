import type { CallContext } from "../../transport/internal.ts";
import type { Admission, Admitted, PendingAdmission } from "./admission.ts";

/** The streams that wait under one client id. */
interface Waiting {
  /** Data channels that wait for `authorize`. */
  channels: number;
  /** Side streams by the name of their principal; undefined stands for the anonymous ones. */
  readonly sides: Map<string | undefined, Set<PendingAdmission>>;
}

// protocol.md §11.7
/**
 * Side streams that are admitted before their data channel is. The host counts the channels of a client id that wait. It releases
 * a side stream when a channel of its principal opens, or when no channel waits any more. So the end of a channel costs the
 * same, however many channels and side streams wait.
 */
export class SideWaits {
  readonly #admission: Pick<Admission, "hold">;
  readonly #clients = new Map<string, Waiting>();

  constructor(admission: Pick<Admission, "hold">) {
    this.#admission = admission;
  }

  /** A data channel waits for `authorize` until `outcome` settles. */
  channelWaits(clientId: string, outcome: Promise<unknown>): void {
    const waiting = this.#clients.get(clientId) ?? { channels: 0, sides: new Map() };
    this.#clients.set(clientId, waiting);
    waiting.channels += 1;
    const over = (): void => {
      waiting.channels -= 1;
      if (waiting.channels > 0) return;
      this.#clients.delete(clientId);
      for (const sides of [...waiting.sides.values()]) release(sides);
    };
    // The channel opens in a reaction to the same promise, which may come after this one.
    const decided = (): void => queueMicrotask(over);
    outcome.then(decided, decided);
  }

  /** Whether a data channel of the client id waits for `authorize`. */
  hasChannel(clientId: string): boolean {
    return this.#clients.has(clientId);
  }

  /** A data channel of the principal is open. */
  channelOpened(clientId: string, principal: Admitted): void {
    const sides = this.#clients.get(clientId)?.sides.get(principal?.name);
    if (sides !== undefined) release(sides);
  }

  /**
   * Makes an admitted side stream wait, within the bounds of what waits for `authorize`. Undefined: there is nothing to wait for.
   * Throws `RpcError` beyond the bounds.
   */
  wait(clientId: string, call: CallContext, principal: Admitted): PendingAdmission | undefined {
    const waiting = this.#clients.get(clientId);
    if (waiting === undefined) return undefined;
    const sides = waiting.sides.get(principal?.name) ?? new Set();
    let isOver = false;
    const forget = (): void => {
      isOver = true;
      if (held === undefined) return;
      sides.delete(held);
      if (sides.size === 0) waiting.sides.delete(principal?.name);
    };
    let held: PendingAdmission | undefined;
    held = this.#admission.hold(call, principal, forget);
    // The caller may have left before this.
    if (!isOver) waiting.sides.set(principal?.name, sides.add(held));
    return held;
  }
}

function release(sides: ReadonlySet<PendingAdmission>): void {
  for (const side of [...sides]) side.release();
}
