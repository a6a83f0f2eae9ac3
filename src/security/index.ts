/**
 * Finds out who calls a host, and says what callers may do, and how much. It has the ports `Authenticator`, `AccessRules` and `Quotas` with their
 * adapters, for the options `authenticator`, `rules` and `quotas` of a host. `troupe/security/jwt` has JSON Web Tokens.
 *
 * @example
 * ```ts
 * import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
 * import { tokenAuthenticator } from "troupe/security";
 *
 * const authenticator = tokenAuthenticator({ tokens: [{ name: "writer", token: "6f1d0c5a98b24e73" }] });
 * await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { authenticator });
 * ```
 *
 * @packageDocumentation
 */

export type { Authentication, Authenticator, Caller } from "./authenticator.ts";
export { authenticatorsInTurn } from "./authenticators-in-turn.ts";
export type { CertificateAuthenticatorOptions, CertificateNameKind } from "./certificate-authenticator.ts";
export { certificateAuthenticator } from "./certificate-authenticator.ts";
export type { FindPrincipal } from "./function-authenticator.ts";
export { functionAuthenticator } from "./function-authenticator.ts";
export type { Principal } from "./principal.ts";
export type { QuotaLimits, QuotaRule } from "./quotas/quota-rule.ts";
export type { OpenQuotaRulesOptions, Quotas } from "./quotas/quota-rules.ts";
export { openQuotaRules, quotaRules } from "./quotas/quota-rules.ts";
export type { AccessDecision, AccessRequest, AccessRules } from "./rules/access-decisions.ts";
export type { AccessAction, AccessRule, RuleNames } from "./rules/access-rule.ts";
export type { OpenAccessRulesOptions } from "./rules/access-rules.ts";
export { accessRules, openAccessRules } from "./rules/access-rules.ts";
export type { TokenAuthenticatorOptions } from "./token-authenticator.ts";
export { tokenAuthenticator } from "./token-authenticator.ts";
export type { NamedToken } from "./token-list.ts";
