import type { X509Certificate } from "node:crypto";
import type { Principal } from "./principal.ts";

/** The facts that a host has of the caller of one stream or unary call. */
export interface Caller {
  /** The method that is called, such as `OpenChannel`. */
  readonly method: string;
  /** The metadata of the call; names are in lower case. `authorization` has a token. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The address of the peer, `host:port`. Behind a proxy it is the proxy's. */
  readonly peer: string;
  /** The certificate that the client has shown, and that an authority of the listener has signed. Undefined: there is none. */
  readonly certificate?: X509Certificate | undefined;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
}

/**
 * The outcome of an authentication. Reasons are for the log and the observer of the host; a caller never learns one.
 *
 * - `known`: the caller is this principal.
 * - `unknown`: the caller shows nothing that this authenticator knows. The next one of several is asked.
 * - `refused`: what the caller shows is wrong, such as an expired token. No other authenticator is asked.
 * - `unavailable`: the authenticator can't find out now. The host answers UNAVAILABLE, so that a worker tries again.
 */
export type Authentication =
  | { readonly at: "known"; readonly principal: Principal }
  | { readonly at: "unknown"; readonly reason: string }
  | { readonly at: "refused"; readonly reason: string }
  | { readonly at: "unavailable"; readonly reason: string };

/**
 * Finds out who calls. The host asks it once for each stream and each unary call, and keeps the principal as long as the stream lives.
 *
 * It may answer at once or with a promise. The host waits for 30 s at most, and for 1,000 callers at once, whose places it shares
 * between peer addresses. A throw or a rejection refuses the caller. An authenticator must not put secrets into a reason or an error.
 */
export interface Authenticator {
  /**
   * The only thing of a caller that it reads. If one of several authenticators reads tokens, a caller that shows a token is known by it
   * alone; those that read certificates are not asked. Otherwise a token that was withdrawn would count as long as the certificate.
   */
  readonly reads?: "token" | "certificate" | undefined;
  authenticate(caller: Caller): Authentication | PromiseLike<Authentication>;
}

/** Returns the token of `authorization: Bearer …`. Undefined: the caller shows none. */
export function bearerTokenOf({ metadata }: Pick<Caller, "metadata">): string | undefined {
  // RFC 6750, 2.1; the name of the scheme has no case (RFC 9110, 11.1).
  return /^bearer +([^\s]+) *$/i.exec(metadata.authorization ?? "")?.[1];
}
