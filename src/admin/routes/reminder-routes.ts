import { type AgentName, listReminders, type StoredReminder, storeLimits, TroupeError } from "../../core/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { agentOf, agentParameters, optionalAgentOf } from "../agent-names.ts";
import { messageTypeOf } from "../kept-frames.ts";
import { cursorOf, formatCursor, limitOf, pageParameters } from "../pages.ts";
import { nameOf } from "../stored-states.ts";

/** Reminders of a page at most: the store reads them with their messages, of up to 64 KiB each. */
const mostReminders = 100;
/** Bytes in which one reminder more than a page has fits. */
const maxBytesOf = (limit: number): number => (limit + 1) * storeLimits.reminderMessageBytes;

/** A reminder in a list. */
export interface ReminderRow {
  readonly type: string;
  readonly key: string;
  readonly name: string;
  readonly dueAt: string;
  /** When it is due again, as the store keeps it. */
  readonly rule: string;
  readonly messageType: string;
  /** Times that the present tick was tried. */
  readonly attempts: number;
}

export function reminderRoutes(host: AdminHost): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/reminders", parameters: [...agentParameters, ...pageParameters], need: "rows" },
      handle: async ({ query }) => {
        const agent = optionalAgentOf(query);
        const limit = limitOf(query, mostReminders);
        if (agent === undefined) return nextDue(host, { after: cursorOf(query, isDuePlace), limit });
        return remindersOf(host, agent, { after: cursorOf(query, (value) => typeof value === "string"), limit });
      },
    },
    {
      ...{ method: "DELETE", path: "/v1/reminder", parameters: [...agentParameters, "name"], need: "administer" },
      handle: async ({ query }) => {
        const agent = agentOf(query);
        const name = query.required("name");
        await cancel(host, agent, name);
        return { ...agent, name, isCancelled: true };
      },
    },
  ];
}

async function remindersOf(
  { store }: AdminHost,
  agent: AgentName,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
) {
  const found = await store.reminders(agent, { after, maxBytes: maxBytesOf(limit) });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const isLast = last === undefined || found.length <= limit;
  return { rows: page.map(rowOf), next: isLast ? null : formatCursor(last.name) };
}

/** A place among the reminders of all agents, the earliest first. */
interface DuePlace {
  readonly dueMs: number;
  readonly seq: number;
}

function isDuePlace(value: unknown): value is DuePlace {
  return typeof value === "object" && value !== null && "dueMs" in value && "seq" in value && isTime(value);
}

function isTime({ dueMs, seq }: { readonly dueMs: unknown; readonly seq: unknown }): boolean {
  return Number.isFinite(dueMs) && Number.isSafeInteger(seq);
}

/**
 * The reminders of all agents, those that are due first. A reminder that fires between two pages has another place by then: a list may have it
 * twice, and misses none that stays.
 */
async function nextDue(
  { store }: AdminHost,
  { after, limit }: { readonly after: DuePlace | undefined; readonly limit: number },
) {
  const bounds = { limit: limit + 1, maxBytes: maxBytesOf(limit) };
  const due = await store.due({ beforeMs: Number.MAX_SAFE_INTEGER, after, ...bounds });
  const page = due.slice(0, limit);
  const last = page.at(-1);
  const isLast = last === undefined || due.length <= limit;
  return { rows: page.map(rowOf), next: isLast ? null : formatCursor({ dueMs: last.dueMs, seq: last.seq }) };
}

async function cancel(host: AdminHost, agent: AgentName, name: string): Promise<void> {
  if (
    name.length > storeLimits.reminderNameCharacters ||
    !(await listReminders(host.store, agent)).some((one) => one.name === name)
  ) {
    const text = `${nameOf(agent)} has no such reminder. See troupe reminders list ${nameOf(agent)}.`;
    throw new TroupeError("not-found", text);
  }
  const store = await host.openStore();
  const parts = { epoch: undefined, mail: [], remembered: [] };
  const [outcome] = await store.commit([
    { agent, expected: { at: "anything" }, write: { at: "keep" }, reminders: [{ at: "cancel", name }], ...parts },
  ]);
  if (outcome?.at === "committed") return;
  throw new TroupeError("state-conflict", `${nameOf(agent)} was written meanwhile. Nothing has changed; try again.`);
}

function rowOf({ agent, name, dueMs, rule, message, attempts }: StoredReminder): ReminderRow {
  const dueAt = timeText(dueMs);
  return { type: agent.type, key: agent.key, name, dueAt, rule, messageType: messageTypeOf(message), attempts };
}

/** A reminder may be due later than dates go. */
function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "never";
}
