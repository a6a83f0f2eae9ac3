import { isValidAgentType } from "../../core/internal.ts";

/** Where an envelope of the control channel goes (protocol.md §1.8). */
export type ControlDestination =
  | { readonly kind: "agent"; readonly type: string; readonly key: string }
  | { readonly kind: "client"; readonly clientId: string };

/** Reads `agentid=<type>/<key>` or `clientid=<client id>`; undefined: neither, or the type can't be an agent's. */
export function parseControlDestination(text: string): ControlDestination | undefined {
  if (text.startsWith("agentid=")) {
    const slash = text.indexOf("/");
    if (slash < 0) return undefined;
    const type = text.slice("agentid=".length, slash);
    return isValidAgentType(type) ? { kind: "agent", type, key: text.slice(slash + 1) } : undefined;
  }
  if (!text.startsWith("clientid=")) return undefined;
  const clientId = text.slice("clientid=".length);
  return clientId === "" ? undefined : { kind: "client", clientId };
}
