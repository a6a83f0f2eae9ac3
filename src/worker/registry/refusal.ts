import { TimedOutError, TroupeError, UndeliverableException } from "../../core/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";

/** Turns a host's refusal into a Troupe error. "Already" in its text means `already-exists`, whatever the status. */
// protocol.md §2.2, W18
export function refusalError(what: string, thrown: unknown): Error {
  if (!(thrown instanceof RpcError)) return thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code, details } = thrown.status;
  const options = { cause: thrown };
  if (isTaken(details) || code === StatusCode.alreadyExists) {
    return new TroupeError("already-exists", details, options);
  }
  // The end of the connection cancelled the call: its reason says more than the status.
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

/** Turns a refusal of generation 1, which has a text and no status, into a Troupe error. */
export function legacyRefusalError(what: string, text: string): Error {
  return isTaken(text)
    ? new TroupeError("already-exists", text)
    : new UndeliverableException(`The host did not ${what}: ${text}`);
}

function isTaken(text: string): boolean {
  return /already (registered|exists)/i.test(text);
}

/** Returns the client id of the owner that a refusal names. Generation 1 and refusals of subscriptions name none. */
// protocol.md §2.2
export function ownerNamedIn(text: string): string | undefined {
  return /already registered with client (\S+?)\.?$/.exec(text)?.[1];
}

/** Whether the host lacks the method, or has only Python's stub of it. */
// protocol.md §1.1
export function isNotImplemented(thrown: unknown): boolean {
  // An answer of a proxy that does not know the path says nothing about the host.
  if (!(thrown instanceof RpcError) || thrown.origin !== "peer") return false;
  if (thrown.code === StatusCode.unimplemented) return true;
  return thrown.code === StatusCode.unknown && /not ?implemented/i.test(thrown.status.details);
}

/** Whether the host does not know the subscription: by Troupe's status or Python's text. */
// protocol.md §2.2
export function isUnknownSubscription(thrown: unknown): boolean {
  if (!(thrown instanceof RpcError)) return false;
  return thrown.code === StatusCode.notFound || thrown.status.details.includes("Subscription does not exist");
}
