import type { AccessAction, AccessRules } from "../../security/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { AccessCaller, AccessRefusal, Asked } from "./access-check.ts";

export interface SessionAccessParts {
  readonly check: {
    refusalOf(caller: AccessCaller, asked: Asked): AccessRefusal | undefined;
    note(caller: AccessCaller, asked: Asked, refusal: AccessRefusal): void;
  };
  readonly rules: Pick<AccessRules, "revision" | "asksAgents">;
  readonly caller: AccessCaller;
  /** Takes the bytes of the decisions that are kept. */
  readonly account: MemoryAccount;
}

/** A decision that is kept: what refuses, or nothing. */
type Kept = AccessRefusal | "allowed";

/** Bytes of all kept decisions of one session, and of each beside its names. */
export const keptDecisionBytes = 64 * 1024;
const decisionBytes = 150;

/**
 * Holds the messages of one session to the rules. It keeps decisions, so that a message to a known target costs one look-up. When the
 * rules change, or when it has kept as many as it may, it forgets all of them.
 */
export class SessionAccess {
  readonly #parts: SessionAccessParts;
  /** By action, by the agent type of the sender, and by resource. */
  readonly #kept = new Map<AccessAction, Map<string, Map<string, Kept>>>();
  #revision: unknown;
  #bytes = 0;
  /** The last of the kept decisions that allow something. */
  #last: Pick<Asked, "agent"> & Partial<Pick<Asked, "action" | "resource">> = {};
  #isClosed = false;

  constructor(parts: SessionAccessParts) {
    this.#parts = parts;
    this.#revision = parts.rules.revision;
  }

  get caller(): AccessCaller {
    return this.#parts.caller;
  }

  /** Whether decisions depend on the agent that sends a message. */
  get asksAgents(): boolean {
    return this.#parts.rules.asksAgents;
  }

  /** Bytes of the decisions that are kept. */
  get keptBytes(): number {
    return this.#bytes;
  }

  /** Returns the text that refuses the session. Undefined: the rules allow it. `agent`: the type of the sender of a message. */
  whyNot(action: AccessAction, resource: string, agent?: string): string | undefined {
    const { rules, check, caller } = this.#parts;
    const revision = rules.revision;
    if (revision !== this.#revision) this.#forget(revision);
    // Messages often go where the one before went, and a name that repeats is the same string again.
    const last = this.#last;
    if (resource === last.resource && action === last.action && agent === last.agent) return undefined;
    const kept = this.#kept
      .get(action)
      ?.get(agent ?? "")
      ?.get(resource);
    if (kept === "allowed") {
      this.#last = { action, resource, agent };
      return undefined;
    }
    const asked = { action, resource, agent } as const;
    const refusal = kept ?? check.refusalOf(caller, asked);
    if (kept === undefined) this.#keep(action, resource, agent ?? "", refusal ?? "allowed");
    if (refusal !== undefined) check.note(caller, asked, refusal);
    return refusal?.text;
  }

  /** The session has ended: gives its bytes back. */
  close(): void {
    this.#isClosed = true;
    this.#forget(this.#revision);
  }

  #keep(action: AccessAction, resource: string, agent: string, kept: Kept): void {
    const text = kept === "allowed" ? "" : kept.text;
    const bytes = decisionBytes + 2 * (resource.length + agent.length + text.length);
    if (this.#isClosed || bytes > keptDecisionBytes / 16) return;
    if (this.#bytes + bytes > keptDecisionBytes) this.#forget(this.#revision);
    // Where the host has no space, a message costs a decision.
    if (!this.#parts.account.take(bytes)) return;
    this.#bytes += bytes;
    const ofAction = this.#kept.get(action) ?? new Map<string, Map<string, Kept>>();
    const ofAgent = ofAction.get(agent) ?? new Map<string, Kept>();
    this.#kept.set(action, ofAction.set(agent, ofAgent.set(resource, kept)));
  }

  #forget(revision: unknown): void {
    this.#revision = revision;
    this.#last = {};
    this.#kept.clear();
    this.#parts.account.release(this.#bytes);
    this.#bytes = 0;
  }
}
