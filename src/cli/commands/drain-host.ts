import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import type { HostDrainReport, HostRow } from "../../admin/internal.ts";
import { loggableText, TroupeError } from "../../core/internal.ts";
import { type AdminClient, HostGoneError } from "../admin/admin-client.ts";
import { counted, readList } from "../printing.ts";

/** Milliseconds of a drain whose time the command does not name, as the host has it. */
const usualGraceMs = 60_000;
/** Milliseconds beyond the grace in which a host that is drained leaves its cluster: when all leases that it gave are over. */
const leavingMs = 30_000;
/** Looks after which the command says that the host tells nothing. */
const mostSilentLooks = 5;
const mostHosts = 500;
/** Ids that an error names. */
const mostIds = 5;

/** Times of the looks at a drain. */
export interface DrainLooks {
  readonly everyMs: number;
  readonly timeoutMs: number;
}

const usualLooks: DrainLooks = { everyMs: 500, timeoutMs: 10_000 };

/** The end of a drain. `ended`: the host has left its cluster. `late`: it has not, though its time is over. */
export interface HostDrainOutcome extends HostDrainReport {
  readonly name: string;
  readonly outcome: "ended" | "late";
}

/**
 * Has a host of the cluster stop in order, and waits until it has left. Rejects as `not-found` for an id or a name that no host has. It
 * rejects with a `HostGoneError` when the host that was asked does not answer any more.
 */
export async function drainHost(
  client: AdminClient,
  idOrName: string,
  { graceMs }: { readonly graceMs?: number },
  looks = usualLooks,
): Promise<HostDrainOutcome> {
  const { pid } = await client.ask<{ readonly pid: number }>("GET", "/v1/host");
  const { hostId, name, isAsked } = chosen(await hostsOf(client, looks), idOrName);
  await client.ask("POST", "/v1/host/drain", { id: hostId, graceMs });
  const endMs = performance.now() + (graceMs ?? usualGraceMs) + leavingMs;
  let last = "";
  let silentLooks = 0;
  while (performance.now() < endMs) {
    let host: HostRow | undefined;
    try {
      host = (await hostsOf(client, looks)).find((row) => row.hostId === hostId);
    } catch (error) {
      // The host that was asked ends its entry last.
      if (!(isAsked && error instanceof HostGoneError)) throw error;
      if (await hasEnded(pid, endMs)) return { hostId, name, outcome: "ended" };
      throw error;
    }
    if (host === undefined) {
      if (!isAsked || (await hasEnded(pid, endMs))) return { hostId, name, outcome: "ended" };
      break;
    }
    silentLooks = host.status === null ? silentLooks + 1 : 0;
    // A host ends its links at the end of a drain, a moment before it leaves the cluster.
    const line = silentLooks < mostSilentLooks ? progressOf(host, last) : silentLine(host);
    if (line !== last) process.stderr.write(`${line}\n`);
    last = line;
    await pause(looks.everyMs);
  }
  return { hostId, name, outcome: "late" };
}

export function textOfHostDrain({ hostId, name, outcome }: HostDrainOutcome): string {
  const which = name === "" ? loggableText(hostId) : `${loggableText(name)} (${loggableText(hostId)})`;
  if (outcome === "ended") return `drained ${which}: it has left the cluster`;
  return `${which} has not left the cluster, though its time is over. Look at its log, and end its process.`;
}

async function hostsOf(client: AdminClient, { timeoutMs }: DrainLooks): Promise<readonly HostRow[]> {
  const { rows } = await readList<HostRow>(client, "/v1/hosts", {}, { limit: mostHosts }, { timeoutMs });
  return rows;
}

function chosen(hosts: readonly HostRow[], idOrName: string): HostRow {
  const byId = hosts.find(({ hostId }) => hostId === idOrName);
  if (byId !== undefined) return byId;
  const [first, ...others] = hosts.filter(({ name }) => name === idOrName);
  if (first === undefined)
    throw new TroupeError("not-found", `No host ${loggableText(idOrName)} is up in the cluster. See troupe hosts.`);
  if (others.length === 0) return first;
  const ids = [first, ...others].slice(0, mostIds).map(({ hostId }) => loggableText(hostId));
  throw new TroupeError("invalid-argument", `Several hosts have this name: ${ids.join(", ")}. Name one by its id.`);
}

function silentLine({ state }: HostRow): string {
  return `${state}; it does not tell its state now`;
}

/** `last`: the line before, which stays while the host tells nothing. */
function progressOf({ status }: HostRow, last: string): string {
  if (status === null) return last;
  const { workers, stockWorkers, calls } = status;
  const stock = stockWorkers === 0 ? "" : ` (${stockWorkers} of AutoGen)`;
  return `${counted(workers, "worker")} left${stock}, ${counted(calls, "call")} under way`;
}

/** Resolves to whether the process has ended before this time. The admin entry is of this machine. */
async function hasEnded(pid: number, endMs: number): Promise<boolean> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    if (performance.now() >= endMs) return false;
    await pause(pollMs);
  }
}

const pollMs = 50;
