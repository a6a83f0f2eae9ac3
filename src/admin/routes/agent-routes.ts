import { type AgentName, formatEpoch, TroupeError } from "../../core/internal.ts";
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

/** One agent with what is stored of it. */
export interface AgentDetail extends AgentRow {
  readonly state: ListedRow | null;
}

/** Place in the list of agents: first those that have a claim, then those that only have a stored state. */
type AgentCursor = { readonly claim: number } | { readonly stored: AgentName | null };

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
      handle: async ({ query }) => detailOf(host, agentOf(query)),
    },
    change("deactivate"),
    change("destroy"),
  ];
}

async function listAgents(
  host: AdminHost,
  { type, workerId, limit }: AgentQuery,
  { cursor, signal }: { readonly cursor: AgentCursor; readonly signal: AbortSignal },
): Promise<Page<AgentRow>> {
  if ("claim" in cursor) {
    const { claims, next } = await host.agents.claims({ type, workerId, limit, after: cursor.claim }, signal);
    const rows = claims.map((claim) => ({
      ...{ type: claim.type, key: claim.key, sharing: "shared" as const },
      ...{ workerId: claim.workerId, epoch: formatEpoch(claim.epoch) },
    }));
    return { rows, next: formatCursor(next === undefined ? { stored: null } : { claim: next }) };
  }
  const page = await listStates(host.store, { type, after: cursor.stored ?? undefined, limit });
  const rows = page.rows
    .map((row) => rowOf(host, row))
    // Those with a claim were listed before.
    .filter((row) => row.epoch === null && (workerId === undefined || row.workerId === workerId));
  return { rows, next: page.next === undefined ? null : formatCursor({ stored: page.next }) };
}

async function detailOf(host: AdminHost, agent: AgentName): Promise<AgentDetail> {
  const row = rowOf(host, agent);
  const state = (await findListed(host.store, agent)) ?? null;
  if (row.sharing !== "unserved" || state !== null) return { ...row, state };
  throw new TroupeError("not-found", `No worker serves ${nameOf(agent)}, and no state is stored for it.`);
}

function rowOf({ agents }: AdminHost, { type, key }: AgentName): AgentRow {
  const { sharing, workerId, epoch } = agents.place({ type, key });
  return { type, key, sharing, workerId: workerId ?? null, epoch: epoch === undefined ? null : formatEpoch(epoch) };
}

function isCursor(value: unknown): value is AgentCursor {
  if (typeof value !== "object" || value === null) return false;
  if ("claim" in value) return Number.isSafeInteger(value.claim) && Number(value.claim) >= 0;
  return "stored" in value && (value.stored === null || isAgentName(value.stored));
}
