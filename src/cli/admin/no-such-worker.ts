import type { WorkerRow } from "../../admin/internal.ts";
import { loggableText, TroupeError } from "../../core/internal.ts";
import { readList } from "../printing.ts";
import type { AdminClient } from "./admin-client.ts";

/** Workers among which one is looked for by its name, and ids that an error names. */
const mostWorkers = 10_000;
const mostIds = 5;

/** Makes the error for an id that no connected worker has. It says the ids of the workers that have this text for their name. */
export async function noSuchWorker(client: AdminClient, id: string): Promise<TroupeError> {
  const { rows } = await readList<WorkerRow>(client, "/v1/workers", {}, { limit: mostWorkers });
  const ids = rows.filter(({ name }) => name === id).map(({ workerId }) => loggableText(workerId));
  return new TroupeError("not-found", `No worker ${loggableText(id)} is connected. ${adviceOn(ids)}`);
}

function adviceOn(ids: readonly string[]): string {
  if (ids.length === 0) return "See troupe workers.";
  if (ids.length === 1) return `The worker of this name has the id ${ids[0]}. Name it by its id.`;
  const more = ids.length > mostIds ? " and more" : "";
  return `Several workers have this name: ${ids.slice(0, mostIds).join(", ")}${more}. Name one by its id.`;
}
