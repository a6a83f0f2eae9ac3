import { errorText } from "../../core/internal.ts";
import { type Authentication, type Authenticator, isPrincipalName } from "../../security/internal.ts";
import { type CallContext, RpcError, StatusCode } from "../../transport/internal.ts";
import { type Authorize, type Principal, readAdmittance } from "../principal.ts";

/** The answer of a check: a principal, a refusal, or undefined, which admits an anonymous caller. `"invalid"`: the check has returned something else. */
export type Judgement = Principal | undefined | Refusal | "invalid";

/** A refusal with what the caller learns, and with the reason, which only the log and the observer get. */
export class Refusal {
  readonly status: RpcError;
  readonly reason: string;

  constructor(status: RpcError, reason: string = status.message) {
    this.status = status;
    this.reason = reason;
  }
}

/** Says who may call, by the option `authenticator` or `authorize`. */
export interface CallerCheck {
  /** Names the option in texts. */
  readonly option: "authenticator" | "authorize option";
  /** May return the answer or a promise of it, and may throw. */
  ask(call: CallContext): unknown;
  read(answer: unknown): Judgement;
  /** Returns the refusal of a caller whose check has failed. */
  failed(cause: unknown): Refusal;
}

/** Undefined: everybody may call. */
export function callerCheckOf(options: {
  readonly authenticator: Authenticator | undefined;
  readonly authorize: Authorize | undefined;
}): CallerCheck | undefined {
  const { authenticator, authorize } = options;
  if (authenticator !== undefined) return checkByAuthenticator(authenticator);
  return authorize === undefined ? undefined : checkByAuthorize(authorize);
}

function checkByAuthorize(authorize: Authorize): CallerCheck {
  return {
    option: "authorize option",
    ask: authorize,
    read: (answer) => {
      const admittance = readAdmittance(answer);
      return admittance instanceof RpcError ? new Refusal(admittance) : admittance;
    },
    failed: (cause) =>
      new Refusal(new RpcError(StatusCode.permissionDenied, "The call could not be authorized.", { cause })),
  };
}

function checkByAuthenticator(authenticator: Authenticator): CallerCheck {
  return {
    option: "authenticator",
    ask: (call) => authenticator.authenticate(call),
    read: readAuthentication,
    failed: (cause) => new Refusal(unknownCaller(cause), "the authenticator failed"),
  };
}

/** Users of JavaScript may return anything. */
function readAuthentication(answer: unknown): Judgement {
  if (typeof answer !== "object" || answer === null || !("at" in answer)) return "invalid";
  // What follows checks each field that it uses.
  const { at, principal, reason } = answer as Partial<Extract<Authentication, { at: "known" }>> & {
    readonly reason?: unknown;
  };
  switch (at as Authentication["at"]) {
    case "known":
      return isPrincipalName(principal?.name) ? principal : "invalid";
    case "unknown":
    case "refused":
      return new Refusal(unknownCaller(undefined), textOf(reason));
    case "unavailable":
      return new Refusal(new RpcError(StatusCode.unavailable, unavailableText), textOf(reason));
    default:
      return "invalid";
  }
}

function textOf(reason: unknown): string {
  return typeof reason === "string" ? reason : errorText(reason);
}

const unavailableText = "The host can't find out now who calls. Try again later.";

/** One text for all, so that no caller learns what was wrong. */
function unknownCaller(cause: unknown): RpcError {
  const text = "The host does not know the caller. Show it a token or a certificate that it accepts.";
  return new RpcError(StatusCode.unauthenticated, text, { cause });
}
