import {
  type ControlEnvelope,
  type ControlRequest,
  isControlRequest,
  parseControlDestination,
} from "../../protocol/internal.ts";
import type { AccessAction } from "../../security/internal.ts";
import type { AccessCheck } from "../access/access-check.ts";
import type { ControlPeer } from "./control-peer.ts";

// protocol.md §2.4
/** The text that refuses a request by the rules. They are held against the agent of its destination, and against the agent that it names. */
export function whyDenied(
  access: AccessCheck | undefined,
  { caller }: ControlPeer,
  { body, destination, respondTo }: ControlEnvelope,
): string | undefined {
  if (access === undefined || caller === undefined) return undefined;
  const isRequest = isControlRequest(body);
  if (!isRequest && respondTo === "") return undefined;
  const at = parseControlDestination(destination);
  const named = [at?.kind === "agent" ? at.type : undefined, isRequest ? body.agentId?.type : undefined];
  const types = new Set(named.filter((type) => type !== undefined));
  for (const resource of types.size === 0 ? [""] : types)
    for (const action of actionsOf(body)) {
      const text = access.whyNot(caller, { action, resource });
      if (text !== undefined) return text;
    }
  return undefined;
}

/** Returns the actions that the rules must allow the sender of a request. */
function actionsOf(body: ControlEnvelope["body"]): readonly AccessAction[] {
  switch (body?.kind) {
    case "save-request":
      return ["control", "read-state"];
    case "load-request":
      return ["control", "write-state"];
    default:
      return ["control"];
  }
}

// protocol.md §12.7
export const isolatedText = "This host has lost touch with its cluster; nothing was sent. Try again later.";

export function isForAgent({ destination }: ControlEnvelope): boolean {
  return parseControlDestination(destination)?.kind === "agent";
}

export function whyLate(destination: string): string {
  return `${destination} can't be reached: no host of the cluster serves its agent type now. Try again later.`;
}

/** Whether a request reads or writes the state of an agent, or ends its activation. The description of an agent is for everybody. */
export function isForOwner(body: ControlEnvelope["body"]): body is ControlRequest {
  return isControlRequest(body) && body.kind !== "metadata-request";
}

export function whyUnroutable(destination: string): string {
  const parsed = parseControlDestination(destination);
  if (parsed === undefined) return `Invalid control destination: ${destination}`;
  return parsed.kind === "agent"
    ? `Agent ${parsed.type}/${parsed.key} can't be reached: no worker with a control channel serves the agent type ${parsed.type}.`
    : `Client ${parsed.clientId} can't be reached: it has no control channel.`;
}
