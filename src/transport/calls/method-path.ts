/** The service whose methods a link calls by their bare names. */
const DEFAULT_SERVICE = "agents.AgentRpc";

/** The full path of a method: a bare name is one of `agents.AgentRpc`, a path stays as it is. */
export function toMethodPath(method: string): string {
  return method.startsWith("/") ? method : `/${DEFAULT_SERVICE}/${method}`;
}
