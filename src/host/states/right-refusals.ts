import type { StateFailure } from "../../protocol/internal.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { Peer } from "../sessions/peer.ts";

/** Refusals that a lone host and a host of a cluster share. */
export function notAuthorized(text: string): StateFailure {
  return { at: "failed", code: "not-authorized", text };
}

export function notServed(agentType: string): StateFailure {
  const name = JSON.stringify(agentType.slice(0, 100));
  return notAuthorized(`This worker does not serve the agent type ${name}. Register the type first.`);
}

export const namedForExclusive: StateFailure = {
  at: "failed",
  code: "invalid-argument",
  text: "The agent's type is exclusive; name no epoch.",
};

/** Whether the worker serves a shared type without knowing of claims. */
export function isUnaware(from: Peer, shared: SharedType): boolean {
  return !from.traits.capabilities.has("claims") || shared.unaware.has(from.id);
}

export function unawareOf(agentType: string): StateFailure {
  return notAuthorized(
    `The host shares the agent type ${agentType} (sharedTypes), and this worker does not. Register it with shared: true.`,
  );
}
