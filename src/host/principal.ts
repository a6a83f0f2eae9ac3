import type { CallContext, RpcStatus } from "../transport/internal.ts";

/** The owner of a stream or a call, as the `authorize` option found out. A stream keeps its principal for life. */
export interface Principal {
  /** Names the principal in logs, in `inspect()` and to observers. */
  readonly name: string;
  readonly roles?: readonly string[];
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The decision of `authorize`: undefined admits an anonymous caller, a principal admits it under that name, a status refuses it. */
export type Admittance = Principal | RpcStatus | undefined;

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

/** Reads what `authorize` has returned; `"invalid"` for any other value: users of JavaScript may return anything. */
export function readAdmittance(value: unknown): Admittance | "invalid" {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null) return "invalid";
  // `in` and `typeof` have checked what the host reads of either; roles and attributes are the user's own.
  if ("name" in value && typeof value.name === "string") return value as Principal;
  const isStatus =
    "code" in value && typeof value.code === "number" && "details" in value && typeof value.details === "string";
  if (isStatus) return value as RpcStatus;
  return "invalid";
}
