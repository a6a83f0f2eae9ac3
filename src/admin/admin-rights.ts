import { type HttpCaller, HttpProblem } from "../http/internal.ts";
import type { AccessAction, AccessRules, Principal } from "../security/internal.ts";

/** Actions of rules that the admin entry asks for. */
type AdminAction = Extract<AccessAction, "see" | "watch" | "administer" | "read-state" | "write-state" | "publish">;

interface RightsOptions {
  /** True: all names that begin with it. */
  readonly isPrefix?: boolean;
}

/** The rights of one caller. */
export interface AdminRights {
  /** The caller's principal. Undefined: the operator of this machine. */
  readonly principal: Principal | undefined;
  may(action: AdminAction, name: string, options?: RightsOptions): boolean;
  /** Throws the problem that refuses the caller. It names the rule and nothing else. */
  assertMay(action: AdminAction, name: string, options?: RightsOptions): void;
}

/** The operator of this machine may do everything. */
const ofOperator: AdminRights = { principal: undefined, may: () => true, assertMay: () => undefined };

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
  return {
    principal,
    may: (action, name, options) => decide(action, name, options)?.isAllowed === true,
    assertMay: (action, name, options) => {
      const decision = decide(action, name, options);
      if (decision?.isAllowed === true) return;
      const by =
        decision?.rule === undefined
          ? "No rule of this host allows it"
          : `The rule ${JSON.stringify(decision.rule)} of this host denies it`;
      throw new HttpProblem(403, "not-authorized", `Not authorized to ${wordsOf[action]}. ${by}. Ask its operator.`);
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
};
