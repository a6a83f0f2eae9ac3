import type { AgentId } from "../../core/internal.ts";
import type { StateStream } from "../connection/state-stream.ts";
import type { PendingResponse } from "./pending-response.ts";

interface RidingAnswer {
  readonly owed: PendingResponse;
  readonly answer: unknown;
  readonly target: AgentId;
  readonly sender: AgentId | undefined;
}

// protocol.md §11.15
/** Answers that leave with a commit, by their bytes. The host sends them when it has written. */
export class RidingAnswers {
  readonly #riding = new WeakMap<Uint8Array, RidingAnswer>();

  /** Encodes an answer for a commit. Undefined: no caller waits for it. Throws for an answer that can't be sent. */
  encode(riding: RidingAnswer): Uint8Array | undefined {
    const frame = riding.owed.encode(riding.answer);
    if (frame !== undefined) this.#riding.set(frame, riding);
    return frame;
  }

  has(frame: Uint8Array): boolean {
    return this.#riding.has(frame);
  }

  /** The stream of the connection that the call came by. Undefined: the connection has ended. */
  wayOf(frame: Uint8Array): StateStream | undefined {
    return this.#riding.get(frame)?.owed.states;
  }

  /** The host has let the answer go, so that the worker does not send it. */
  left(frame: Uint8Array): void {
    const riding = this.#riding.get(frame);
    riding?.owed.left(riding.answer, riding.target, riding.sender);
  }
}
