import type { HostAnswer, HostRow } from "../../src/admin/internal.ts";
import type { Api } from "./api.ts";

/** A host of a cluster that has not answered. */
export interface UnansweredHost {
  readonly hostId: string;
  readonly name: string;
}

/** Asks for the hosts of the cluster. Resolves to none if the host is alone. */
export async function hostsOf(api: Api, signal: AbortSignal): Promise<readonly HostRow[]> {
  const { hostId } = await api.get<HostAnswer>("/v1/host", undefined, signal);
  if (hostId === null) return [];
  const { rows } = await api.get<{ readonly rows: readonly HostRow[] }>("/v1/hosts", { limit: 100 }, signal);
  return rows;
}

export function nameOf({ name, hostId }: { readonly name: string; readonly hostId: string }): string {
  return name === "" ? hostId : name;
}
