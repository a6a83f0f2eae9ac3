import { TimedOutError, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";

/** A host's refusal as an error of ours. "Already" in its text means taken, whatever the status (protocol.md §2.2, W18). */
export function refusalError(what: string, thrown: unknown): Error {
  if (!(thrown instanceof RpcError)) return thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code, details } = thrown.status;
  const options = { cause: thrown };
  if (isTaken(details) || code === StatusCode.alreadyExists) {
    return new TroupeError("already-exists", details, options);
  }
  // Called off by the end of the connection: that says more than that it was called off.
  const text = `The host did not ${what}: ${thrown.cause instanceof TroupeError ? thrown.cause.message : details}`;
  switch (code) {
    case StatusCode.invalidArgument:
      return new TroupeError("invalid-argument", text, options);
    case StatusCode.notFound:
      return new TroupeError("not-found", text, options);
    case StatusCode.resourceExhausted:
      return new UndeliverableException(text, { ...options, code: "overloaded" });
    case StatusCode.permissionDenied:
    case StatusCode.unauthenticated:
      return new TroupeError("not-authorized", text, options);
    case StatusCode.deadlineExceeded:
      return new TimedOutError(text, options);
    case StatusCode.cancelled:
    case StatusCode.unavailable:
      return new UndeliverableException(text, { ...options, code: "disconnected" });
    default:
      return new UndeliverableException(text, options);
  }
}

/** The refusal of generation 1, which has a text and no status. */
export function legacyRefusalError(what: string, text: string): Error {
  return isTaken(text)
    ? new TroupeError("already-exists", text)
    : new UndeliverableException(`The host did not ${what}: ${text}`);
}

function isTaken(text: string): boolean {
  return /already (registered|exists)/i.test(text);
}

/** The client id that a refusal says the type belongs to; generation 1, and refused subscriptions, name none (protocol.md §2.2). */
export function ownerNamedIn(text: string): string | undefined {
  return /already registered with client (\S+?)\.?$/.exec(text)?.[1];
}

/** The method is not there at all, or Python's stub of it (protocol.md §1.1). */
export function isNotImplemented(thrown: unknown): boolean {
  // A proxy that does not know the path is no host without the method.
  if (!(thrown instanceof RpcError) || thrown.origin !== "peer") return false;
  if (thrown.code === StatusCode.unimplemented) return true;
  return thrown.code === StatusCode.unknown && /not ?implemented/i.test(thrown.status.details);
}

/** The host does not know the subscription: our status, or Python's (protocol.md §2.2). */
export function isUnknownSubscription(thrown: unknown): boolean {
  if (!(thrown instanceof RpcError)) return false;
  return thrown.code === StatusCode.notFound || thrown.status.details.includes("Subscription does not exist");
}
