import type { Principal } from "../principal.ts";
import type { AccessAction } from "./access-rule.ts";

/** An action that a caller asks for, and its resource. */
export interface AccessRequest {
  /** Undefined: `authorize` has admitted the caller without a name. */
  readonly principal: Principal | undefined;
  readonly action: AccessAction;
  /** An agent type or a topic type. Empty: a control request that names a client, and no agent. */
  readonly resource: string;
  /** True: all topics that begin with `resource`. Default: false. */
  readonly isPrefix?: boolean | undefined;
  /** The type of the agent that sends a call or an event. Undefined: none. */
  readonly agent?: string | undefined;
}

/** Whether a caller may do it, and the rule that says so. `rule` and `place` undefined: no rule is about it, and it is denied. */
export interface AccessDecision {
  readonly isAllowed: boolean;
  readonly rule: string | undefined;
  /** Where the rule stands: `troupe.rules.yaml:12`. */
  readonly place: string | undefined;
}

/** Decides what callers of a host may do. A host asks often, and at once: an adapter must not wait for anything. */
export interface AccessRules {
  /**
   * Another value than before: decisions may be others than before. A host keeps decisions of each session until then. It reads
   * the revision for each message, so that it must be cheap.
   */
  readonly revision: unknown;
  /** Whether decisions depend on `agent`. A host finds out the sender of each message then. */
  readonly asksAgents: boolean;
  /** Must not throw. A host takes a throw for a denial. */
  decide(request: AccessRequest): AccessDecision;
}
