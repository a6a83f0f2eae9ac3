import process from "node:process";
import { Command } from "commander";
import { type HostRow, protocolProblems } from "../../admin/internal.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { type ListFlags, printList, readList, rowCount } from "../printing.ts";
import { formatTable } from "../table.ts";

/** Milliseconds that a host has to ask the others. */
const timeoutMs = 30_000;

/** The command `troupe hosts`. */
export function hostsCommand(): Command {
  return addHostChoice(
    new Command("hosts")
      .description("List the hosts of a cluster, as one of them sees them")
      .option("--limit <count>", "hosts at most", rowCount, 1_000)
      .option("--after <place>", "go on where an earlier list ended")
      .option("--json", "print JSON", false),
  ).action(async (flags: ListFlags & HostChoice) => {
    const listed = await readList<HostRow>(await findHost(flags), "/v1/hosts", {}, flags, { timeoutMs });
    printList(flags, listed, textOfHosts);
    for (const problem of protocolProblems(listed.rows)) process.stderr.write(`warning: ${problem}\n`);
  });
}

/** Formats hosts as a table. The one that was asked has a star. */
export function textOfHosts(rows: readonly HostRow[]): string {
  if (rows.length === 0) return "no hosts";
  return formatTable(
    [
      "name",
      "id",
      "version",
      "life",
      "state",
      "lease",
      "workers",
      "types",
      "agents",
      "calls",
      "queued",
      "address",
      "peers",
    ],
    rows.map((row) => {
      const { status } = row;
      return [
        ...[
          `${row.isAsked ? "* " : ""}${row.name === "" ? "-" : row.name}`,
          row.hostId,
          status?.version ?? "?",
          status?.life ?? "?",
        ],
        ...[stateOf(row), leaseOf(row), status?.workers ?? "?", status?.types ?? "?", status?.agents ?? "?"],
        ...[status?.calls ?? "?", status?.queuedBytes ?? "?", row.workerAddress || "-", row.peerAddress],
      ];
    }),
  );
}

function stateOf({ state, status }: HostRow): string {
  if (status === null) return `${state}, silent`;
  return status.isServing ? state : `${state}, isolated`;
}

/** The age of the newest lease, of the time for which one holds. */
function leaseOf({ leaseAgeMs, leaseMs }: HostRow): string {
  return `${(leaseAgeMs / 1_000).toFixed(1)} of ${(leaseMs / 1_000).toFixed(0)} s`;
}
