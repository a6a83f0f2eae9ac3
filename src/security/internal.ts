// What other rooms and tests use of this room. index.ts holds what users use.
export type { Authentication, Authenticator, Caller } from "./authenticator.ts";
export { authenticatorKind, authenticatorsInTurn } from "./authenticators-in-turn.ts";
export { certificateAuthenticator } from "./certificate-authenticator.ts";
export type { Principal } from "./principal.ts";
export { isPrincipalName, isSamePrincipal } from "./principal.ts";
export { tokenAuthenticator } from "./token-authenticator.ts";
