import { errorText, TroupeError } from "../core/internal.ts";
import { errorCode, RpcError, StatusCode } from "../transport/internal.ts";

/** Turns the failure of a listener into the error of a host's start. Its text says what to do; the failure is the `cause`. */
export function startError(address: string, thrown: unknown): TroupeError {
  if (thrown instanceof TroupeError) return thrown;
  const options = { cause: thrown };
  const text = `The host can't listen on ${address}: ${errorText(thrown)}`;
  if (!(thrown instanceof RpcError)) return new TroupeError("wrong-state", text, options);
  switch (thrown.code) {
    case StatusCode.invalidArgument:
    case StatusCode.permissionDenied:
      return new TroupeError("invalid-argument", text, options);
    case StatusCode.unavailable:
      return new TroupeError(isTaken(thrown) ? "already-exists" : "wrong-state", text, options);
    default:
      return new TroupeError("wrong-state", text, options);
  }
}

/** A network in memory refuses a taken address without an error of the system. */
function isTaken({ cause }: RpcError): boolean {
  return cause === undefined || errorCode(cause) === "EADDRINUSE";
}
