import type { HandlerContext } from "../delivery/handler-context.ts";
import type { PendingCall } from "../delivery/pending-call.ts";

/** A message that a handler has. */
export interface Running {
  readonly context: HandlerContext;
  /** Undefined for events. */
  readonly call: PendingCall<unknown> | undefined;
  /** Its place in the list. */
  slot: number;
}

/** What is being handled right now. A `Set` would cost a microsecond per message on Node 20, this costs nothing to speak of. */
export class RunningList {
  readonly #running: Running[] = [];

  add(running: Running): void {
    running.slot = this.#running.length;
    this.#running.push(running);
  }

  remove(running: Running): void {
    const last = this.#running.pop();
    if (last === undefined || last === running) return;
    last.slot = running.slot;
    this.#running[running.slot] = last;
  }

  /** A copy, so that one may end them all. */
  all(): Running[] {
    return [...this.#running];
  }
}
