import { type AgentName, formatEpoch, TroupeError } from "../../core/internal.ts";
import type { UnansweredHost } from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { agentOf, agentParameters, isAgentName } from "../agent-names.ts";
import { cursorOf, formatCursor, limitOf, type Page, pageParameters } from "../pages.ts";
import { findListed, type ListedRow, listStates, nameOf } from "../stored-states.ts";

/** An agent and its place. */
export interface AgentRow {
  readonly type: string;
  readonly key: string;
  /** Whether one worker serves its type, several do, or none does. */
  readonly sharing: "exclusive" | "shared" | "unserved";
  /** Null: no worker has it; the next message for one of a shared type chooses its worker. */
  readonly workerId: string | null;
  /** Of its claim; null for an agent of an exclusive type. */
  readonly epoch: string | null;
}

/** Agents, and the hosts of the cluster that have not told theirs. */
export interface AgentsAnswer extends Page<AgentRow> {
  readonly unanswered: readonly UnansweredHost[];
}

/** One agent with what is stored of it. */
export interface AgentDetail extends AgentRow {
  readonly state: ListedRow | null;
  /** Hosts of the cluster that have not said whether a worker of theirs has it. */
  readonly unanswered: readonly UnansweredHost[];
}

/** Place in the list of agents: first those that have a claim, then those that only have a stored state. */
type AgentCursor =
  | { readonly claim: number; readonly host?: string | undefined }
  | { readonly stored: AgentName | null };

/** The longest id of a host that is looked at. */
const hostIdChars = 256;

interface AgentQuery {
  readonly type: string | undefined;
  readonly workerId: string | undefined;
  readonly limit: number;
}

export function agentRoutes(host: AdminHost): readonly AdminRoute[] {
  const change = (how: "deactivate" | "destroy"): AdminRoute => ({
    ...{ method: "POST", path: `/v1/agent/${how}`, parameters: agentParameters, need: "administer" },
    handle: async ({ query, signal }) => {
      const agent = agentOf(query);
      const wasPlaced = await host.agents[how](agent, signal);
      return { ...agent, done: how, wasPlaced };
    },
  });
  return [
    {
      ...{ method: "GET", path: "/v1/agents", parameters: ["type", "worker", ...pageParameters], need: "rows" },
      handle: ({ query, signal }) => {
        const asked = { type: query.text("type"), workerId: query.text("worker"), limit: limitOf(query) };
        return listAgents(host, asked, { cursor: cursorOf(query, isCursor) ?? { claim: 0 }, signal });
      },
    },
    {
      ...{ method: "GET", path: "/v1/agent", parameters: agentParameters, need: "see" },
      handle: async ({ query, signal }) => detailOf(host, agentOf(query), signal),
    },
    change("deactivate"),
    change("destroy"),
  ];
}

async function listAgents(
  host: AdminHost,
  { type, workerId, limit }: AgentQuery,
  { cursor, signal }: { readonly cursor: AgentCursor; readonly signal: AbortSignal },
): Promise<AgentsAnswer> {
  if ("claim" in cursor) {
    const { claims, next, unanswered } = await claimsOf(host, { type, workerId, limit }, { cursor, signal });
    const rows = claims.map((claim) => ({
      ...{ type: claim.type, key: claim.key, sharing: "shared" as const },
      ...{ workerId: claim.workerId, epoch: formatEpoch(claim.epoch) },
    }));
    return { rows, next: formatCursor(next ?? { stored: null }), unanswered };
  }
  const page = await listStates(host.store, { type, after: cursor.stored ?? undefined, limit });
  const { rows: placed, unanswered } = await rowsOf(host, page.rows, signal);
  const rows = placed
    // Those with a claim were listed before.
    .filter((row) => row.epoch === null && (workerId === undefined || row.workerId === workerId));
  return { rows, next: page.next === undefined ? null : formatCursor({ stored: page.next }), unanswered };
}

/** The claims of this host; in a cluster, those of one host after the other. */
async function claimsOf(
  { agents, cluster }: AdminHost,
  query: AgentQuery,
  {
    cursor: { claim, host },
    signal,
  }: { readonly cursor: Extract<AgentCursor, { claim: number }>; readonly signal: AbortSignal },
) {
  if (cluster === undefined) {
    const { claims, next } = await agents.claims({ ...query, after: claim }, signal);
    return { claims, next: next === undefined ? undefined : { claim: next }, unanswered: [] };
  }
  const { claims, next, unanswered } = await cluster.listAgents(query, { hostId: host, claim }, signal);
  return { claims, next: next && { claim: next.claim, host: next.hostId }, unanswered };
}

/** The places of agents; in a cluster, other hosts are asked for those that no worker of this one has. */
async function rowsOf(
  host: AdminHost,
  agents: readonly AgentName[],
  signal: AbortSignal,
): Promise<{ readonly rows: readonly AgentRow[]; readonly unanswered: readonly UnansweredHost[] }> {
  const rows = agents.map((agent) => rowOf(host, agent));
  const sought = rows.filter(({ sharing, workerId }) => sharing === "shared" && workerId === null);
  if (host.cluster === undefined || sought.length === 0) return { rows, unanswered: [] };
  const { places, unanswered } = await host.cluster.findAgents(sought, signal);
  const told = new Map(sought.map((row, at) => [row, places[at]]));
  return {
    rows: rows.map((row) => {
      const place = told.get(row);
      return place === undefined ? row : { ...row, workerId: place.workerId, epoch: formatEpoch(place.epoch) };
    }),
    unanswered,
  };
}

async function detailOf(host: AdminHost, agent: AgentName, signal: AbortSignal): Promise<AgentDetail> {
  const { rows, unanswered } = await rowsOf(host, [agent], signal);
  const row = rows[0] ?? rowOf(host, agent);
  const state = (await findListed(host.store, agent)) ?? null;
  if (row.sharing !== "unserved" || state !== null) return { ...row, state, unanswered };
  throw new TroupeError("not-found", `No worker serves ${nameOf(agent)}, and no state is stored for it.`);
}

function rowOf({ agents }: AdminHost, { type, key }: AgentName): AgentRow {
  const { sharing, workerId, epoch } = agents.place({ type, key });
  return { type, key, sharing, workerId: workerId ?? null, epoch: epoch === undefined ? null : formatEpoch(epoch) };
}

function isCursor(value: unknown): value is AgentCursor {
  if (typeof value !== "object" || value === null) return false;
  if ("claim" in value) {
    const isHost = !("host" in value) || (typeof value.host === "string" && value.host.length <= hostIdChars);
    return isHost && Number.isSafeInteger(value.claim) && Number(value.claim) >= 0;
  }
  return "stored" in value && (value.stored === null || isAgentName(value.stored));
}
