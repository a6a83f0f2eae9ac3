import { type HttpCaller, HttpProblem } from "../http/internal.ts";
import type { AccessAction, AccessRules, Principal } from "../security/internal.ts";

/** Actions of rules that the admin entry asks for. */
export type AdminAction = Extract<
  AccessAction,
  "see" | "watch" | "administer" | "read-state" | "write-state" | "publish" | "subscribe" | "call"
>;

interface RightsOptions {
  /** True: all names that begin with it. */
  readonly isPrefix?: boolean;
}

/** The rights of one caller. */
export interface AdminRights {
  /** The caller's principal. Undefined: the operator of this machine. */
  readonly principal: Principal | undefined;
  may(action: AdminAction, name: string, options?: RightsOptions): boolean;
  /** Returns the text that refuses the caller. It names the rule and nothing else. Undefined: the caller may. */
  whyNot(action: AdminAction, name: string, options?: RightsOptions): string | undefined;
  /** Throws the problem that refuses the caller. */
  assertMay(action: AdminAction, name: string, options?: RightsOptions): void;
}

/** The operator of this machine may do everything. */
const ofOperator: AdminRights = {
  principal: undefined,
  may: () => true,
  whyNot: () => undefined,
  assertMay: () => undefined,
};

/** Returns what a caller may see and do. A principal may do what the rules allow. */
export function rightsOf(caller: HttpCaller, rules: AccessRules | undefined): AdminRights {
  if (caller.at === "operator") return ofOperator;
  const { principal } = caller;
  const decide = (action: AdminAction, resource: string, { isPrefix }: RightsOptions = {}) => {
    try {
      return rules?.decide({ principal, action, resource, isPrefix });
    } catch {
      // Rules of the user's own may throw. What can't be decided is denied.
      return undefined;
    }
  };
  const whyNot: AdminRights["whyNot"] = (action, name, options) => {
    const decision = decide(action, name, options);
    if (decision?.isAllowed === true) return undefined;
    const by =
      decision?.rule === undefined
        ? "No rule of this host allows it"
        : `The rule ${JSON.stringify(decision.rule)} of this host denies it`;
    return `Not authorized to ${wordsOf[action]}. ${by}. Ask its operator.`;
  };
  return {
    principal,
    may: (action, name, options) => decide(action, name, options)?.isAllowed === true,
    whyNot,
    assertMay: (action, name, options) => {
      const text = whyNot(action, name, options);
      if (text !== undefined) throw new HttpProblem(403, "not-authorized", text);
    },
  };
}

const wordsOf: Readonly<Record<AdminAction, string>> = {
  see: "see this",
  watch: "watch this topic",
  administer: "change this",
  "read-state": "read this agent's state",
  "write-state": "write this agent's state",
  publish: "publish to this topic",
  subscribe: "subscribe to this topic",
  call: "call this agent type",
};
