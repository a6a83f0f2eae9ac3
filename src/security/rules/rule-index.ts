import type { Principal } from "../principal.ts";
import type { AccessDecision, AccessRequest } from "./access-decisions.ts";
import { type AccessAction, accessActions, actionResources, type ReadRule } from "./access-rule.ts";

/** Names, and beginnings of names, with the rules that name them. */
class RulesByName {
  readonly #exact = new Map<string, ReadRule[]>();
  readonly #beginnings = new Map<string, ReadRule[]>();
  /** The lengths of the beginnings: with them a name costs a look-up for each length, and not for each rule. */
  #lengths: readonly number[] = [];

  add(pattern: string, rule: ReadRule): void {
    const isBeginning = pattern.endsWith("*");
    const table = isBeginning ? this.#beginnings : this.#exact;
    const name = isBeginning ? pattern.slice(0, -1) : pattern;
    const known = table.get(name);
    if (known === undefined) table.set(name, [rule]);
    else known.push(rule);
    if (isBeginning && !this.#lengths.includes(name.length)) this.#lengths = [...this.#lengths, name.length];
  }

  /** The rules that name a name. */
  *of(name: string): Iterable<ReadRule> {
    yield* this.#exact.get(name) ?? noRules;
    yield* this.covering(name);
  }

  /** The rules that name all names with a beginning. */
  *covering(beginning: string): Iterable<ReadRule> {
    for (const length of this.#lengths)
      if (length <= beginning.length) yield* this.#beginnings.get(beginning.slice(0, length)) ?? noRules;
  }

  /** The rules that name some of the names with a beginning. */
  *touching(beginning: string): Iterable<ReadRule> {
    yield* this.covering(beginning);
    for (const [name, rules] of this.#exact) if (name.startsWith(beginning)) yield* rules;
    for (const [name, rules] of this.#beginnings)
      if (name.length > beginning.length && name.startsWith(beginning)) yield* rules;
  }
}

/** A role, and the rule that allows something to callers with it. A `*` at its end stands for any rest. */
export interface RoleThatMay {
  readonly role: string;
  readonly rule: string;
}

/** Finds the rule that decides. A rule that denies wins; of those that allow, the first of the list is named. */
export class RuleIndex {
  readonly asksAgents: boolean;
  readonly #allow = new Map<AccessAction, RulesByName>(accessActions.map((action) => [action, new RulesByName()]));
  readonly #deny = new Map<AccessAction, RulesByName>(accessActions.map((action) => [action, new RulesByName()]));
  readonly #place = new Map<ReadRule, number>();

  constructor(rules: readonly ReadRule[]) {
    this.asksAgents = rules.some(({ agents }) => agents !== undefined);
    for (const [index, rule] of rules.entries()) {
      this.#place.set(rule, index);
      const tables = rule.allows ? this.#allow : this.#deny;
      for (const action of rule.actions)
        for (const pattern of rule[actionResources[action]]) tables.get(action)?.add(pattern, rule);
    }
  }

  decide(request: AccessRequest): AccessDecision {
    const { action, resource, isPrefix } = request;
    const [allow, deny] = [this.#allow.get(action), this.#deny.get(action)];
    const denying = this.#first(isPrefix ? deny?.touching(resource) : deny?.of(resource), request);
    if (denying !== undefined) return { isAllowed: false, rule: denying.name, place: denying.place };
    const allowing = this.#first(isPrefix ? allow?.covering(resource) : allow?.of(resource), request);
    return { isAllowed: allowing !== undefined, rule: allowing?.name, place: allowing?.place };
  }

  /** The first role of the list with which a caller may do it. Undefined: it needs another principal, agent or rule. */
  roleThatMay(request: AccessRequest): RoleThatMay | undefined {
    const { principal } = request;
    if (principal === undefined) return undefined;
    for (const { name: rule, roles } of this.#place.keys())
      for (const pattern of roles ?? noNames) {
        const role = pattern.endsWith("*") ? pattern.slice(0, -1) : pattern;
        const decision = this.decide({ ...request, principal: { ...principal, roles: [role] } });
        if (decision.isAllowed && decision.rule === rule) return { role: pattern, rule };
      }
    return undefined;
  }

  /** The first of the list among rules that fit a request. */
  #first(rules: Iterable<ReadRule> = noRules, request: AccessRequest): ReadRule | undefined {
    let [first, firstPlace] = [undefined as ReadRule | undefined, Number.POSITIVE_INFINITY];
    for (const rule of rules) {
      const place = this.#place.get(rule) ?? 0;
      if (place < firstPlace && fits(rule, request)) [first, firstPlace] = [rule, place];
    }
    return first;
  }
}

function fits({ principals, roles, agents }: ReadRule, { principal, agent }: AccessRequest): boolean {
  if (principals !== undefined && !isPrincipalOf(principals, principal)) return false;
  if (roles !== undefined && !(principal?.roles ?? noNames).some((role) => isNamed(roles, role))) return false;
  return agents === undefined || (agent !== undefined && isNamed(agents, agent));
}

/** A caller without a principal is one of everybody, and no other. */
function isPrincipalOf(patterns: readonly string[], principal: Principal | undefined): boolean {
  return principal === undefined ? patterns.includes("*") : isNamed(patterns, principal.name);
}

function isNamed(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name));
}

const noRules: readonly ReadRule[] = [];
const noNames: readonly string[] = [];
