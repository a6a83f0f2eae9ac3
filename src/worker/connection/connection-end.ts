import { TroupeError, UndeliverableException } from "../../core/internal.ts";
import { StatusCode, type StreamEnd } from "../../transport/internal.ts";

/** The error codes of a refusal. */
export type RefusalCode = "not-authorized" | "overloaded" | "disconnected";

/** How a connection ended. */
export type ConnectionEnd =
  /** This side left. */
  | { readonly by: "left" }
  /** The host had taken the data channel, and then it or the network ended it. `isSilent`: the host gave no sign of life. */
  | { readonly by: "lost"; readonly reason: string; readonly isSilent: boolean }
  /** The host, or a proxy before it, answered the data channel with a status and never took it. */
  | { readonly by: "refused"; readonly reason: string; readonly code: RefusalCode };

/** Describes for people why a stream ended. */
export function describeEnd(end: StreamEnd): string {
  switch (end.by) {
    case "status":
      return end.status.code === StatusCode.ok
        ? "the host closed the channel."
        : `the host ended the channel with status ${end.status.code} (${end.status.details}).`;
    case "cancelled":
      return "this worker closed the channel.";
    case "peer":
      return "the host reset the channel.";
    case "connection-lost":
      return end.reason;
  }
}

/**
 * Returns the error code of a refusal: the status with which a host, or a proxy before it, answers a channel that it does not
 * take. Undefined for other ends: then the host may have handled what was sent.
 */
export function refusalCode(end: StreamEnd): RefusalCode | undefined {
  if (end.by !== "status") return undefined;
  switch (end.status.code) {
    case StatusCode.unauthenticated:
    case StatusCode.permissionDenied:
      return "not-authorized";
    case StatusCode.resourceExhausted:
      return "overloaded";
    case StatusCode.invalidArgument:
    case StatusCode.failedPrecondition:
    case StatusCode.notFound:
    case StatusCode.unimplemented:
    case StatusCode.unavailable:
      return "disconnected";
    default:
      return undefined;
  }
}

/** Turns the end of a connection into the error of whoever waited for the connection. */
export function endError(end: ConnectionEnd): Error {
  switch (end.by) {
    case "left":
      return new UndeliverableException("The worker left the host.", { code: "disconnected" });
    case "lost":
      return new UndeliverableException(end.reason, { code: "disconnected" });
    case "refused":
      return end.code === "not-authorized"
        ? new TroupeError("not-authorized", end.reason)
        : new UndeliverableException(end.reason, { code: end.code });
  }
}

/** Describes for people why a connection ended. */
export function reasonOf(end: ConnectionEnd): string {
  return end.by === "left" ? "The worker left the host." : end.reason;
}
