import { Command } from "commander";
import type { WorkerRow } from "../../admin/internal.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { counted, type ListFlags, printList, readList, rowCount } from "../printing.ts";
import { formatTable } from "../table.ts";

/** Agent types of a worker that a table shows. */
const shownTypes = 5;

/** The command `troupe workers`. */
export function workersCommand(): Command {
  return addHostChoice(
    new Command("workers")
      .description("List the workers that are connected to a host")
      .option("--limit <count>", "workers at most", rowCount, 1_000)
      .option("--after <place>", "go on where an earlier list ended")
      .option("--json", "print JSON", false),
  ).action(async (flags: ListFlags & HostChoice) => {
    printList(flags, await readList<WorkerRow>(await findHost(flags), "/v1/workers", {}, flags), textOfWorkers);
  });
}

function textOfWorkers(rows: readonly WorkerRow[]): string {
  if (rows.length === 0) return "no workers";
  return formatTable(
    ["id", "name", "version", "state", "agents", "calls", "queued", "address", "types"],
    rows.map((row) => [
      ...[row.workerId, row.name, row.version ?? "-", stateOf(row)],
      ...[row.claims, row.outstanding, row.queuedBytes, row.address, typesOf(row)],
    ]),
  );
}

function stateOf({ isTroupe, isDraining, leaving }: WorkerRow): string {
  const state = isDraining ? `draining, ${counted(leaving, "agent")} to leave` : "serving";
  return isTroupe ? state : `${state} (AutoGen)`;
}

function typesOf({ types, typeCount }: WorkerRow): string {
  const shown = types.slice(0, shownTypes).join(",");
  return typeCount > shownTypes ? `${shown} and ${typeCount - shownTypes} more` : shown;
}
