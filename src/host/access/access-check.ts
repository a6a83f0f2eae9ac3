import type { WirePattern } from "../../protocol/internal.ts";
import type { AccessAction, AccessDecision, AccessRequest, AccessRules } from "../../security/internal.ts";
import { type MemoryAccount, RpcError, StatusCode } from "../../transport/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { Observers } from "../observer.ts";
import type { Principal } from "../principal.ts";
import { SessionAccess } from "./session-access.ts";

export interface AccessCheckParts {
  readonly rules: AccessRules;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
}

/** The client that asks for something. */
export interface AccessCaller {
  readonly clientId: string;
  readonly principal: Principal | undefined;
  /** The peer address, for the log. */
  readonly address: string;
}

/** Something that a caller asks for, by the names of `AccessRequest`. */
export type Asked = Pick<AccessRequest, "action" | "resource" | "isPrefix" | "agent">;

/** Characters of a name that the log shows. */
const shownChars = 200;

// protocol.md §2.4
/** Holds callers to the rules of the host. It counts and reports what it refuses. */
export class AccessCheck {
  readonly #parts: AccessCheckParts;

  constructor(parts: AccessCheckParts) {
    this.#parts = parts;
  }

  /** The check of what comes on one session. */
  ofSession(caller: AccessCaller, account: MemoryAccount): SessionAccess {
    return new SessionAccess({ check: this, rules: this.#parts.rules, caller, account });
  }

  /** Returns the text that refuses a caller. Undefined: the rules allow it. */
  whyNot(caller: AccessCaller, asked: Asked): string | undefined {
    const refusal = this.refusalOf(caller, asked);
    if (refusal !== undefined) this.note(caller, asked, refusal);
    return refusal?.text;
  }

  /** Throws the `RpcError` that refuses a caller. */
  assertMay(caller: AccessCaller, asked: Asked): void {
    const text = this.whyNot(caller, asked);
    if (text !== undefined) throw new RpcError(StatusCode.permissionDenied, text);
  }

  // protocol.md §2.4
  /**
   * Returns the text that refuses a subscription. It is for an agent type, which the caller must be allowed to register. Topics that begin with
   * `TYPE:` are the direct ones of that type: they need no rule that allows them.
   */
  whyNotSubscribe(caller: AccessCaller, pattern: WirePattern | undefined): string | undefined {
    // The registry refuses it.
    if (pattern === undefined) return undefined;
    const { agentType } = pattern;
    const isPrefix = pattern.kind === "prefix";
    const topic = isPrefix ? pattern.topicTypePrefix : pattern.topicType;
    const whyNotType = this.whyNot(caller, { action: "register", resource: agentType });
    if (whyNotType !== undefined) return whyNotType;
    const asked = { action: "subscribe", resource: topic, isPrefix } as const;
    const refusal = this.refusalOf(caller, asked);
    if (refusal === undefined || (refusal.rule === undefined && topic.startsWith(`${agentType}:`))) return undefined;
    this.note(caller, asked, refusal);
    return refusal.text;
  }

  assertMaySubscribe(caller: AccessCaller, pattern: WirePattern | undefined): void {
    const text = this.whyNotSubscribe(caller, pattern);
    if (text !== undefined) throw new RpcError(StatusCode.permissionDenied, text);
  }

  /** As `whyNot`, without a count and a report. */
  refusalOf({ principal }: AccessCaller, asked: Asked): AccessRefusal | undefined {
    let decision: AccessDecision;
    try {
      decision = this.#parts.rules.decide({ principal, ...asked });
    } catch {
      // Rules of the user's own may throw. What can't be decided is denied.
      return { text: "The rules of the host could not be asked.", rule: undefined, place: undefined };
    }
    const { isAllowed, rule, place } = decision;
    return isAllowed === true ? undefined : { text: textOf(asked.action, rule), rule, place };
  }

  /** Counts and reports a refusal. */
  note(
    { clientId, address, principal }: AccessCaller,
    { action, resource, isPrefix }: Asked,
    { rule, place }: AccessRefusal,
  ): void {
    const { counters, observers } = this.#parts;
    counters.deniedByRules += 1;
    if (observers.now === undefined) return;
    const by = rule === undefined ? "no rule allows" : `${place === undefined ? rule : `${rule} (${place})`} denies`;
    const name = resource.slice(0, shownChars);
    const reason = `${by} ${action} ${isPrefix ? `${name}*` : name}`;
    const code = StatusCode.permissionDenied;
    observers.now({ at: "denied", method: action, clientId, address, principal, code, reason });
  }
}

/** A refusal: its text names the rule and nothing else. */
export interface AccessRefusal extends Pick<AccessDecision, "rule" | "place"> {
  readonly text: string;
}

function textOf(action: AccessAction, rule: string | undefined): string {
  const by =
    rule === undefined ? "No rule of this host allows it" : `The rule ${JSON.stringify(rule)} of this host denies it`;
  return `Not authorized to ${wordsOf[action]}. ${by}. Ask the operator of the host.`;
}

const wordsOf: Readonly<Record<AccessAction, string>> = {
  register: "register this agent type",
  call: "call this agent type",
  publish: "publish to this topic",
  subscribe: "subscribe to this topic",
  "read-state": "read this agent's state",
  "write-state": "write this agent's state",
  control: "control this agent",
  see: "see this agent type",
  watch: "watch this topic",
  administer: "administer this agent type",
};
