import type { InspectedWorker, Inspection } from "../inspection.ts";
import { fits, pageByName, type RowList } from "./row-list.ts";
import { readFields, told } from "./told-values.ts";
import { seesAll } from "./viewer.ts";

/** A connected worker. */
export interface WorkerRow extends InspectedWorker {
  /** Where its newest connection comes from. */
  readonly address: string;
  /** The name of the principal that it belongs to. Null: it has none, or its host does not tell it. */
  readonly principal: string | null;
  /** False: it is one of AutoGen's. */
  readonly isTroupe: boolean;
  /** Bytes that wait to be sent to it. */
  readonly queuedBytes: number;
}

/** Lists the connected workers by their ids. Filter: `id`. */
export function workerRows(inspection: Pick<Inspection, "inspect">): RowList<WorkerRow> {
  return {
    ...{ method: "ListWorkers", order: "names", isForAll: true },
    list: async ({ filter, viewer, ...page }, signal) => {
      const all = seesAll(viewer) ? await workersOf(inspection, signal) : [];
      return pageByName(
        all.filter(({ workerId }) => fits(filter.id, workerId)),
        page,
        ({ workerId }) => workerId,
      );
    },
    placeOf: ({ workerId }) => workerId,
    isBefore: (row, other) => row.workerId < other.workerId,
    read: readWorker,
    shown: (row, { filter, viewer }) => (seesAll(viewer) && fits(filter.id, row.workerId) ? row : undefined),
  };
}

/** All workers: a host has at most 10,000 channels, and gathers them in batches. */
async function workersOf(inspection: Pick<Inspection, "inspect">, signal: AbortSignal): Promise<readonly WorkerRow[]> {
  const { workers, sessions } = await inspection.inspect({ maxTypes: 0, signal });
  const byClient = new Map(sessions.map((session) => [session.clientId, session]));
  return workers.map((worker) => {
    const channels = worker.clientIds.flatMap((clientId) => byClient.get(clientId) ?? []);
    const newest = channels.at(-1);
    return {
      ...worker,
      ...{ address: newest?.address ?? "", isTroupe: newest?.isAnnounced ?? false },
      principal: newest?.principal?.name ?? null,
      queuedBytes: channels.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0),
    };
  });
}

function readWorker(value: unknown): WorkerRow | undefined {
  const row = readFields<Omit<WorkerRow, "version" | "principal">>(value, {
    ...{ workerId: told.text, name: told.text, labels: told.labels, clientIds: told.texts, types: told.texts },
    ...{ typeCount: told.count, claims: told.count, leaving: told.count, isDraining: told.flag },
    ...{ outstanding: told.count, address: told.text, isTroupe: told.flag, queuedBytes: told.count },
  });
  // The row was an object. Earlier hosts tell no principal.
  const { version, principal } = Object(value);
  return row && { ...row, version: told.text(version), principal: told.text(principal) ?? null };
}
