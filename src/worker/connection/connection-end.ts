import { TroupeError, UndeliverableException } from "../../core/internal.ts";
import { retryAfterMsIn, voidStatusPrefix } from "../../protocol/internal.ts";
import { RpcError, StatusCode, type StatusOrigin, type StreamEnd } from "../../transport/internal.ts";

/** The error codes of a refusal. */
type RefusalCode = "not-authorized" | "overloaded" | "disconnected";

/** The end of a connection and its reason. */
export type ConnectionEnd =
  /** The worker left. */
  | { readonly by: "left" }
  /** The host had accepted the data channel; then the host or the network ended it. `isSilent`: the host gave no sign of life. */
  | { readonly by: "lost"; readonly reason: string; readonly isSilent: boolean }
  /**
   * The host, or a proxy before it, answered the data channel with a status and never accepted it. `isUnread`: it is certain that
   * the host read nothing there. `retryAfterMs`: what the host says of another attempt.
   */
  | {
      readonly by: "refused";
      readonly reason: string;
      readonly code: RefusalCode;
      readonly isUnread: boolean;
      readonly retryAfterMs?: number | undefined;
    };

/** Facts about a connection whose data channel has ended. */
interface EndedConnection {
  readonly address: string;
  /** Whether the host had accepted the data channel. */
  readonly isAccepted: boolean;
  /** Whether the host gave no sign of life. */
  readonly isSilent: boolean;
  /** The reason for which the worker gave up the host, if it did. */
  readonly deadBecause: string | undefined;
}

/** Returns the end of a connection that the worker did not leave, for the end of its data channel. */
export function lossOf(
  end: StreamEnd,
  { address, isAccepted, isSilent, deadBecause }: EndedConnection,
): Exclude<ConnectionEnd, { readonly by: "left" }> {
  const why = deadBecause ?? describeEnd(end);
  const code = isAccepted ? undefined : refusalCode(end);
  return code === undefined
    ? { by: "lost", reason: `The connection to the host at ${address} is gone: ${why}`, isSilent }
    : {
        by: "refused",
        reason: `The host at ${address} refused the worker: ${why}`,
        code,
        isUnread: isUnreadRefusal(end),
        retryAfterMs: end.by === "status" ? retryAfterMsIn(end.status.metadata) : undefined,
      };
}

// protocol.md §11.19 E3
/** Whether the host has ended the channel because no host serves this worker any more. */
export function saysVoid(end: StreamEnd): boolean {
  if (end.by !== "status" || end.origin === "local") return false;
  return end.status.code === StatusCode.aborted && end.status.details.startsWith(voidStatusPrefix);
}

/** Describes the reason for the end of a stream, for people. */
export function describeEnd(end: StreamEnd): string {
  switch (end.by) {
    case "status":
      // protocol.md §2.1
      if (end.status.code === StatusCode.aborted && end.status.details === replacedText) return replacedHint;
      if (end.isUnread === true) return `the host did not take the channel (${end.status.details}).`;
      return end.status.code === StatusCode.ok
        ? "the host closed the channel."
        : `${answererOf(end.origin)} ended the channel with status ${end.status.code} (${end.status.details}).`;
    case "cancelled":
      return "this worker closed the channel.";
    case "peer":
      return "the host reset the channel.";
    case "connection-lost":
      return end.reason;
  }
}

/** The maker of a status, for people. */
function answererOf(origin: StatusOrigin | undefined): string {
  switch (origin) {
    case "local":
      return "this worker's own side of the connection";
    case "proxy":
      return "the host, or a proxy before it,";
    case "peer":
    case undefined:
      return "the host";
  }
}

/** Whether the host itself has ended a stream with one of these statuses. A proxy, or this worker's transport, can't speak for it. */
export function isHostsWord(
  end: StreamEnd,
  codes: ReadonlySet<number>,
): end is Extract<StreamEnd, { readonly by: "status" }> {
  return end.by === "status" && end.origin === "peer" && codes.has(end.status.code);
}

const replacedText = "replaced by a newer channel";
const replacedHint =
  "a newer channel came under this worker's client id, and the host ended this one. If this program did not open it, another one uses the client id: have the host authenticate its callers.";

/**
 * Returns the error code of a refusal. A host, or a proxy before it, refuses a channel with a status. Undefined for other ends,
 * after which the host may have handled messages.
 */
function refusalCode(end: StreamEnd): RefusalCode | undefined {
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

/**
 * Whether it is certain that the host read nothing of a channel that it refused. A stock host sends no headers. It may have handled
 * what it got, and end the channel with UNAVAILABLE or RESOURCE_EXHAUSTED later.
 */
// protocol.md §11.6
function isUnreadRefusal(end: StreamEnd): boolean {
  if (end.by !== "status") return false;
  if (end.isUnread === true) return true;
  const { code } = end.status;
  return end.origin !== "local" && code !== StatusCode.unavailable && code !== StatusCode.resourceExhausted;
}

/** Returns the error for callers that waited for a connection. */
export function endError(end: ConnectionEnd): Error {
  switch (end.by) {
    case "left":
      return new UndeliverableException("The worker left the host.", { code: "disconnected" });
    case "lost":
      return new UndeliverableException(end.reason, { code: "disconnected" });
    case "refused":
      return end.code === "not-authorized"
        ? new TroupeError("not-authorized", `${end.reason} ${howToBeAdmitted}`)
        : new UndeliverableException(end.reason, { code: end.code, retryAfterMs: end.retryAfterMs });
  }
}

const howToBeAdmitted =
  "Give the worker a token or a certificate that the host accepts (channelOptions.metadata, channelOptions.tls).";

/** Describes the reason for the end of a connection, for people. */
export function reasonOf(end: ConnectionEnd): string {
  return end.by === "left" ? "The worker left the host." : end.reason;
}

/** Creates the error of a call that the worker no longer makes over a connection that it leaves. */
export function leavingError(address: string): UndeliverableException {
  return new UndeliverableException(`The worker is leaving the host at ${address}.`, { code: "shutting-down" });
}

/** Whether a call failed without an answer of the host, as on a link that takes no calls. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof RpcError && error.origin !== "peer" && error.code === StatusCode.unavailable;
}
