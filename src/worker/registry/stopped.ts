import { TroupeError, UndeliverableException } from "../../core/internal.ts";

/** Creates the error of a registration that begins while the worker stops. */
export function stopping(): Error {
  const text = "The worker is stopping and registers nothing more. Register again after its next start.";
  return new UndeliverableException(text, { code: "shutting-down" });
}

/** Returns the error of a registration that failed after the stop began: what the host or the connection says is of no use then. */
export function stoppedError(what: string, error: unknown): unknown {
  if (error instanceof TroupeError && (error.code === "cancelled" || error.code === "shutting-down")) return error;
  const text = `${what} was cut short, because the worker stops. Register again after its next start.`;
  return new UndeliverableException(text, { code: "shutting-down", cause: error });
}

/** Creates the error of a registration that waits for its type when the worker stops. */
export function stoppedWaiting(type: string): Error {
  const text = `The worker has stopped while it waited for agent type ${type}.`;
  return new UndeliverableException(text, { code: "shutting-down" });
}
