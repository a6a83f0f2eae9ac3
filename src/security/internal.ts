// What other rooms and tests use of this room. index.ts holds what users use.
export type { Authentication, Authenticator, Caller } from "./authenticator.ts";
export { authenticatorKind } from "./authenticators-in-turn.ts";
export type { CertificatePair } from "./certificates/development-certificates.ts";
export { DevelopmentAuthority } from "./certificates/development-certificates.ts";
export type { Principal } from "./principal.ts";
export { isPrincipalName, isSamePrincipal } from "./principal.ts";
