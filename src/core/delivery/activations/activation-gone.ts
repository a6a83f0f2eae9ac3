import { brandClass } from "../../copies.ts";
import type { TroupeError } from "../../errors.ts";

/**
 * Thrown when the activation of a delivery has ended, so that the dispatcher gives the message to the next one. It never leaves the
 * dispatcher.
 */
export class ActivationGone extends Error {
  override readonly name = "ActivationGone";
  readonly #isOne = true;

  /** Whether a thrown value is one. Unlike `instanceof`, it runs no code of a proxy that a handler throws. */
  static is(thrown: unknown): thrown is ActivationGone {
    return typeof thrown === "object" && thrown !== null && #isOne in thrown;
  }

  /** The outcome of a message that is not tried again. */
  readonly error: TroupeError;
  /** Whether a handler has run: the message is then tried again once. */
  readonly isHandled: boolean;

  /** Ends the activation. The turn that catches it calls it, when its message is the first of those that wait. Undefined: it has ended. */
  readonly leave: (() => void) | undefined;

  constructor(error: TroupeError, isHandled: boolean, leave?: () => void) {
    super(error.message);
    this.leave = leave;
    this.error = error;
    this.isHandled = isHandled;
  }
}
// What a handler throws may be a proxy, at which a bare `instanceof` fails.
brandClass(ActivationGone, "ActivationGone");
