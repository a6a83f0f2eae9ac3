import { isPrincipalName, type Principal } from "../security/internal.ts";
import { type CallContext, RpcError, type RpcStatus, StatusCode } from "../transport/internal.ts";

export { isSamePrincipal, type Principal } from "../security/internal.ts";

/** The decision of `authorize`: undefined admits an anonymous caller, a principal admits it under that name, a status (also an `RpcError`) refuses it. */
export type Admittance = Principal | RpcStatus | RpcError | undefined;

/**
 * Decides whether the host serves a stream or a unary call. It sees the method, the metadata (`authorization` and the like) and
 * the address of the peer. It may answer at once or with a promise: the host holds the call meanwhile, for 30 s at most. A throw,
 * a rejection and an answer of another kind refuse the call with PERMISSION_DENIED.
 *
 * @example
 * ```ts
 * const authorize: Authorize = async ({ metadata }) =>
 *   (await nameOfToken(metadata.authorization)) ?? { code: StatusCode.unauthenticated, details: "Unknown token." };
 * ```
 */
export type Authorize = (call: CallContext) => Admittance | PromiseLike<Admittance>;

/**
 * Reads what `authorize` has returned: a principal, undefined for an anonymous caller, or the refusal. `"invalid"` stands for any
 * other value, since users of JavaScript may return anything. It recognises a status first: an `RpcError` has a name too.
 */
export function readAdmittance(value: unknown): Principal | RpcError | undefined | "invalid" {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null) return "invalid";
  if (value instanceof RpcError) return refusalOf(value.code, value.message);
  if (value instanceof Error) return "invalid";
  if ("code" in value || "details" in value) {
    const { code, details } = { code: undefined, details: undefined, ...value };
    return typeof code === "number" && typeof details === "string" ? refusalOf(code, details) : "invalid";
  }
  // `in` and `typeof` have checked what the host reads; roles and attributes are the user's own.
  if ("name" in value && isPrincipalName(value.name)) return value as Principal;
  return "invalid";
}

/** A refusal with a status that refuses: OK and numbers that gRPC does not know become PERMISSION_DENIED. */
function refusalOf(code: number, details: string): RpcError {
  const refuses = Number.isInteger(code) && code > StatusCode.ok && code <= StatusCode.unauthenticated;
  // The range has been checked.
  return new RpcError(refuses ? (code as StatusCode) : StatusCode.permissionDenied, details);
}

/** Whether a host with these options finds out who calls. */
export function knowsCallers({
  authenticator,
  authorize,
}: {
  readonly authenticator?: object | undefined;
  readonly authorize?: Authorize | undefined;
}): boolean {
  return authenticator !== undefined || authorize !== undefined;
}
