import { type Clock, type Logger, withMethods } from "../../core/internal.ts";
import type { AccessRequest, AccessRules } from "./access-decisions.ts";
import type { AccessRule } from "./access-rule.ts";
import { readRules } from "./read-rules.ts";
import { type RoleThatMay, RuleIndex } from "./rule-index.ts";
import { followRulesFile } from "./rules-file.ts";

export const accessRulesKind = withMethods("access rules, such as accessRules([…]),", "decide");

/**
 * Makes rules of data. Once there are rules, what no rule allows is denied. A rule that denies wins over all that allow. Throws
 * `invalid-argument` for rules that can't be used.
 *
 * @example
 * ```ts
 * const rules = accessRules([
 *   { role: "worker", allow: ["register", "read-state", "write-state"], types: ["writer", "editor*"] },
 *   { principal: "*", allow: "call", types: "*" },
 *   { principal: "guest", deny: "call", types: "vault" },
 * ]);
 * ```
 */
export function accessRules(rules: readonly AccessRule[]): AccessRules {
  const index = new RuleIndex(readRules({ rules }));
  return { revision: index, asksAgents: index.asksAgents, decide: (request) => index.decide(request) };
}

/** Options of `openAccessRules`. */
export interface OpenAccessRulesOptions {
  /** A file in YAML, or in JSON if its name ends with `.json`. It is read again when it has changed, at the next question after a second. */
  readonly file: string;
  /** Says that the file was read again, or can't be. Default: no log. */
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Opens rules in a file: `rules:` and a list of them, as `accessRules` takes it. `quotas:` beside it are for `openQuotaRules`. YAML needs the package `yaml`. A file that can't be used any
 * more changes nothing, and the log says why. Rejects with `invalid-argument` for one that can't be used at the start.
 */
export async function openAccessRules(options: OpenAccessRulesOptions): Promise<AccessRules> {
  return openRuleFile(options);
}

/** Access rules of a file that also explain a denial. */
export interface RuleFile extends AccessRules {
  /** The first role with which the caller may do what it may not do without a role, and the rule that says so. */
  roleThatMay(request: AccessRequest): RoleThatMay | undefined;
}

/** Opens rules in a file, as `openAccessRules` does. */
export async function openRuleFile(options: OpenAccessRulesOptions): Promise<RuleFile> {
  const followed = await followRulesFile(options, {
    ...{ caller: "openAccessRules", list: "rules" },
    make: ({ rules }) => new RuleIndex(rules ?? readRules({ rules })),
  });
  return {
    roleThatMay: (request) => followed.value.roleThatMay(request),
    get revision() {
      return followed.value;
    },
    get asksAgents() {
      return followed.value.asksAgents;
    },
    decide: (request) => followed.value.decide(request),
  };
}
