// What other rooms and tests use of this room. index.ts holds what users use.
export type { Authentication, Authenticator, Caller } from "./authenticator.ts";
export { authenticatorKind, authenticatorsInTurn } from "./authenticators-in-turn.ts";
export { certificateAuthenticator } from "./certificate-authenticator.ts";
export type { Principal } from "./principal.ts";
export { isPrincipalName, isSamePrincipal } from "./principal.ts";
export { type QuotaLimit, type QuotaLimits, quotaLimits } from "./quotas/quota-rule.ts";
export { openQuotaRules, type Quotas, quotasKind } from "./quotas/quota-rules.ts";
export type { AccessDecision, AccessRequest, AccessRules } from "./rules/access-decisions.ts";
export { type AccessAction, accessActions, actionResources } from "./rules/access-rule.ts";
export { accessRulesKind, openAccessRules, openRuleFile } from "./rules/access-rules.ts";
export type { RoleThatMay } from "./rules/rule-index.ts";
export { loadYaml, type YamlText } from "./rules/yaml-text.ts";
export { tokenAuthenticator } from "./token-authenticator.ts";
