import { assertFunction } from "../core/internal.ts";
import type { Authentication, Authenticator, Caller } from "./authenticator.ts";
import type { Principal } from "./principal.ts";

/** Returns the principal of a caller, at once or with a promise. Undefined: it does not know the caller. */
export type FindPrincipal = (caller: Caller) => Principal | undefined | PromiseLike<Principal | undefined>;

/**
 * Knows callers by a function of yours. A throw or a rejection refuses the caller, and the host logs the error.
 *
 * @example
 * ```ts
 * const authenticator = functionAuthenticator(async ({ metadata }) => {
 *   const user = await findUser(metadata["x-session"]);
 *   return user && { name: user.id, roles: user.groups };
 * });
 * ```
 */
export function functionAuthenticator(find: FindPrincipal): Authenticator {
  assertFunction(find, "What finds the principal of a caller");
  return {
    authenticate(caller: Caller): Authentication | Promise<Authentication> {
      const found = find(caller);
      // A principal never has a method `then`: its fields are texts.
      return found !== undefined && "then" in found ? Promise.resolve(found).then(outcomeOf) : outcomeOf(found);
    },
  };
}

function outcomeOf(principal: Principal | undefined): Authentication {
  return principal === undefined
    ? { at: "unknown", reason: "the function does not know it" }
    : { at: "known", principal };
}
