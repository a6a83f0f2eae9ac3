import type { AgentId } from "../../core/internal.ts";
import type { StateStream } from "../connection/streams/state-stream.ts";
import type { PendingResponse } from "./pending-response.ts";

/** The parts of an answer. */
export interface AnswerParts {
  readonly owed: PendingResponse;
  readonly answer: unknown;
  readonly target: AgentId;
  readonly sender: AgentId | undefined;
  /** Whether the call has an id that is remembered, so that its caller can have the answer later. */
  readonly isRemembered: boolean;
}

const noBytes = new Uint8Array(0);

// protocol.md §11.15
/** An answer that leaves with a commit. The host sends it when it has written. */
export class RidingAnswer {
  /** The encoded answer. */
  readonly bytes: Uint8Array;
  readonly #parts: AnswerParts;

  private constructor(bytes: Uint8Array, parts: AnswerParts) {
    this.bytes = bytes;
    this.#parts = parts;
  }

  /** Encodes an answer for a commit. Undefined: no caller waits for it. Throws for an answer that can't be sent. */
  static of(parts: AnswerParts): RidingAnswer | undefined {
    const bytes = parts.owed.encode(parts.answer);
    if (bytes !== undefined) return new RidingAnswer(bytes, parts);
    const lost = new RidingAnswer(noBytes, parts);
    return lost.isLost ? lost : undefined;
  }

  /** The stream of the connection that the call came by. Undefined: the connection has ended. */
  get way(): StateStream | undefined {
    return this.#parts.owed.states;
  }

  /** Whether the connection has ended that the call came by, so that the host has failed the call, or will. */
  get isLost(): boolean {
    return this.way === undefined && !this.#parts.isRemembered;
  }

  /** The host has let the answer go, so that the worker does not send it. */
  left(): void {
    const { owed, answer, target, sender } = this.#parts;
    owed.left(answer, target, sender);
  }
}
