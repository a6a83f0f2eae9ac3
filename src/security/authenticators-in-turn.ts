import { assertKind, withMethods } from "../core/internal.ts";
import { type Authentication, type Authenticator, bearerTokenOf, type Caller } from "./authenticator.ts";

/** The kind of an authenticator. */
export const authenticatorKind = withMethods("an authenticator, such as tokenAuthenticator(…),", "authenticate");

/**
 * Asks several authenticators in turn: the first that knows or refuses the caller decides. If none does, and one of them can't find out
 * now, the caller may try again. Principals of one name are the same, whichever authenticator knows them. A caller that shows a token is
 * known by it alone, and not by its certificate, if one of them reads tokens.
 *
 * @example
 * ```ts
 * const authenticator = authenticatorsInTurn(certificateAuthenticator(), tokenAuthenticator({ file: "troupe.tokens" }));
 * ```
 */
export function authenticatorsInTurn(...authenticators: readonly Authenticator[]): Authenticator {
  for (const [index, one] of authenticators.entries()) assertKind(`authenticators[${index}]`, one, authenticatorKind);
  const withoutCertificates = authenticators.some(({ reads }) => reads === "token")
    ? authenticators.filter(({ reads }) => reads !== "certificate")
    : authenticators;
  return {
    authenticate: (caller) =>
      ask(bearerTokenOf(caller) === undefined ? authenticators : withoutCertificates, caller, noReasons),
  };
}

interface Reasons {
  readonly unknown: readonly string[];
  readonly unavailable: readonly string[];
}

const noReasons: Reasons = { unknown: [], unavailable: [] };

/** Answers at once as long as the authenticators do. */
function ask(
  authenticators: readonly Authenticator[],
  caller: Caller,
  before: Reasons,
): Authentication | Promise<Authentication> {
  let reasons = before;
  for (const [index, one] of authenticators.entries()) {
    const answer = one.authenticate(caller);
    if ("then" in answer)
      return (async () => {
        const late = await answer;
        return decides(late) ? late : ask(authenticators.slice(index + 1), caller, and(reasons, late));
      })();
    if (decides(answer)) return answer;
    reasons = and(reasons, answer);
  }
  const { unknown, unavailable } = reasons;
  if (unavailable.length > 0) return { at: "unavailable", reason: unavailable.join("; ") };
  return { at: "unknown", reason: unknown.join("; ") || "there is no authenticator" };
}

function decides({ at }: Authentication): boolean {
  // What is none of the four is for the host to judge.
  return at !== "unknown" && at !== "unavailable";
}

function and({ unknown, unavailable }: Reasons, answer: Authentication): Reasons {
  if (answer.at === "unknown") return { unavailable, unknown: [...unknown, answer.reason] };
  if (answer.at === "unavailable") return { unknown, unavailable: [...unavailable, answer.reason] };
  return { unknown, unavailable };
}
