import { type AgentName, compareBytes } from "./agent-name.ts";
import type { ListedState, ListPage, StateStore, StoredReminder } from "./state-store.ts";
import { storeLimits } from "./store-limits.ts";
import type { StoredRun } from "./stored-runs.ts";

const noBytes = new Uint8Array(0);

/** Takes a page from the front of a list. It has more than `maxBytes` only if its first item has. */
export function pageOf<Item>(
  items: Iterable<Item>,
  {
    bytesOf,
    limit = Number.POSITIVE_INFINITY,
    maxBytes = storeLimits.pageBytes,
  }: {
    readonly bytesOf: (item: Item) => number;
    readonly limit?: number | undefined;
    readonly maxBytes?: number | undefined;
  },
): Item[] {
  const page: Item[] = [];
  if (limit <= 0) return page;
  let bytes = 0;
  for (const item of items) {
    bytes += bytesOf(item);
    if (page.length > 0 && bytes > maxBytes) break;
    page.push(item);
    if (page.length >= limit) break;
  }
  return page;
}

const encoder = new TextEncoder();

/** Makes a page of a list. `found`: its records and the next one, as far as there is one. */
export function listPageOf(found: readonly ListedState[], limit: number): ListPage {
  const records = pageOf(found, { bytesOf: bytesOfListed, limit });
  return { records, isLast: records.length === found.length };
}

/** A database that counts the bytes of names itself counts the same. */
function bytesOfListed({ agent, contentType }: ListedState): number {
  const texts = agent.type + agent.key + contentType;
  return encoder.encode(texts).length + storeLimits.listedBytes;
}

/** Bytes that a run counts in a list. */
export function bytesOfListedRun({ agent, id, principal, owner }: StoredRun): number {
  return encoder.encode(agent.type + agent.key + id + principal + owner).length + storeLimits.listedBytes;
}

/** Lists all reminders of an agent, without their messages: those may have 64 MB together. */
export async function listReminders(
  store: Pick<StateStore, "reminders">,
  agent: AgentName,
): Promise<readonly StoredReminder[]> {
  const listed: StoredReminder[] = [];
  for (let after: string | undefined; ; after = listed.at(-1)?.name) {
    const page = await store.reminders(agent, { after });
    const [first] = page;
    // A store of a user that knows no pages gives all of them each time.
    if (first === undefined || (after !== undefined && compareBytes(first.name, after) <= 0)) return listed;
    for (const reminder of page) listed.push({ ...reminder, message: noBytes });
  }
}
