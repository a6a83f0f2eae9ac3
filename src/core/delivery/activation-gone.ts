import type { TroupeError } from "../errors.ts";

/**
 * Thrown when the activation of a delivery has ended, so that the dispatcher gives the message to the next one. It never leaves the
 * dispatcher.
 */
export class ActivationGone extends Error {
  override readonly name = "ActivationGone";
  /** The outcome of a message that is not tried again. */
  readonly error: TroupeError;
  /** Whether a handler has run: the message is then tried again once. */
  readonly isHandled: boolean;

  constructor(error: TroupeError, isHandled: boolean) {
    super(error.message);
    this.error = error;
    this.isHandled = isHandled;
  }
}
