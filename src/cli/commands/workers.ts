import { Command } from "commander";
import type { WorkerRow } from "../../admin/internal.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { hostColumn, sayUnanswered } from "../admin/hosts-of-rows.ts";
import { counted, type ListFlags, printList, readListOfHosts, rowCount } from "../printing.ts";
import { formatTable } from "../table.ts";

/** Agent types of a worker that a table shows. */
const shownTypes = 5;

interface WorkersFlags extends ListFlags, HostChoice {
  readonly host?: string;
}

/** The command `troupe workers`. */
export function workersCommand(): Command {
  return addHostChoice(
    new Command("workers")
      .description("List the connected workers: of all hosts of a cluster")
      .option("--host <id|name>", "only those of this host of the cluster")
      .option("--limit <count>", "workers at most", rowCount, 1_000)
      .option("--after <place>", "go on where an earlier list ended")
      .option("--json", "print JSON", false),
  ).action(async (flags: WorkersFlags) => {
    const listed = await readListOfHosts<WorkerRow>(await findHost(flags), "/v1/workers", { host: flags.host }, flags);
    printList(flags, listed, textOfWorkers);
    sayUnanswered(listed, "its workers");
  });
}

function textOfWorkers(rows: readonly WorkerRow[]): string {
  if (rows.length === 0) return "no workers";
  const hosts = hostColumn(rows);
  const hasPrincipals = rows.some(({ principal }) => principal !== null);
  return formatTable(
    [
      "id",
      "name",
      ...(hasPrincipals ? ["principal"] : []),
      ...hosts.names,
      "version",
      "state",
      "agents",
      "calls",
      "queued",
      "address",
      "types",
    ],
    rows.map((row) => [
      // A worker that was given no name is named by its id.
      ...[row.workerId, row.name === row.workerId ? "-" : row.name],
      ...(hasPrincipals ? [row.principal ?? "-"] : []),
      ...[...hosts.cellsOf(row), row.version ?? "-", stateOf(row)],
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
