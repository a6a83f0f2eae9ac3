import process from "node:process";
import { setImmediate as turn } from "node:timers/promises";
import { mebibytes } from "../support/load/facts.ts";
import { type LiveTimers, pause } from "./live-timers.ts";
import type { SoakWorld } from "./soak-world.ts";

/** What a process holds at rest. */
export interface VitalSigns {
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** What keeps the event loop alive, by kind: sockets, servers, timers. */
  readonly resources: Readonly<Record<string, number>>;
  /** Sizes of the tables of host and workers, and the streams and timers that are open. */
  readonly tables: Readonly<Record<string, number>>;
}

/** Growth that is no leak: of the heap by a tenth and 8 MiB, of the RSS by a quarter and 48 MiB. Everything else is exact. */
const tolerance = { heap: { part: 0.1, bytes: 8 * 2 ** 20 }, rss: { part: 0.25, bytes: 48 * 2 ** 20 } };

export async function takeVitalSigns(takeTables: () => Promise<Readonly<Record<string, number>>>): Promise<VitalSigns> {
  if (globalThis.gc === undefined) throw new Error("run it with --expose-gc");
  // What was ended a moment ago is collected once its last callbacks have run.
  for (let round = 0; round < 5; round++) {
    await turn();
    globalThis.gc();
  }
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    resources: activeResources(),
    tables: await takeTables(),
  };
}

export function activeResources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo().sort()) {
    // Requests are work under way; pipes are the process's own stdout and stderr.
    if (kind === "TCPSocketWrap" || kind === "TCPServerWrap" || kind === "Timeout" || kind === "FSEventWrap") {
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
  }
  return counts;
}

/** What the host and all workers together hold; timers of each clock, and all timers of the process, the transport's among them. */
export function tablesOf({ host, clocks, ...world }: SoakWorld, timers: LiveTimers): Record<string, number> {
  const workers = [...world.residents, ...world.travellers.map(({ worker }) => worker)].map(({ runtime }) => runtime);
  const total = (of: (runtime: (typeof workers)[number]) => number) => workers.reduce((sum, one) => sum + of(one), 0);
  const { channels, controlChannels, pendingCalls, agentTypes, subscriptions, transport } = host.counters();
  const { reservedClients, queuedFrames, queuedBytes } = host.counters();
  return {
    ...{
      channels,
      controlChannels,
      pendingCalls,
      agentTypes,
      subscriptions,
      reservedClients,
      queuedFrames,
      queuedBytes,
    },
    ...{ connections: transport.connections, streams: transport.streams },
    "calls pending at workers": total(({ pendingCallsCount }) => pendingCallsCount),
    "messages queued at workers": total(({ queuedCount }) => queuedCount),
    "handlers running": total(({ handlers }) => handlers.running),
    "messages parked": total(({ handlers }) => handlers.parked),
    "timers of the host": clocks.host.pendingTimers,
    "timers of workers": clocks.workers.pendingTimers,
    "timers of the process": timers.count,
  };
}

/** The smallest of each size within half a second: a keep-alive that is just under way is no leak. */
export async function quietest(sizes: () => Record<string, number>): Promise<Record<string, number>> {
  const smallest = sizes();
  for (let sample = 0; sample < 25; sample++) {
    await pause(20);
    for (const [name, size] of Object.entries(sizes())) smallest[name] = Math.min(smallest[name] ?? size, size);
  }
  return smallest;
}

/** What is not where it was, in words; empty when all is well. */
export function compareSigns(begin: VitalSigns, end: VitalSigns): string[] {
  const problems: string[] = [];
  const heapLimit = begin.heapBytes * (1 + tolerance.heap.part) + tolerance.heap.bytes;
  const rssLimit = begin.rssBytes * (1 + tolerance.rss.part) + tolerance.rss.bytes;
  if (end.heapBytes > heapLimit)
    problems.push(`the heap grew from ${mebibytes(begin.heapBytes)} to ${mebibytes(end.heapBytes)}`);
  if (end.rssBytes > rssLimit)
    problems.push(`the RSS grew from ${mebibytes(begin.rssBytes)} to ${mebibytes(end.rssBytes)}`);
  problems.push(...differences("resource", begin.resources, end.resources));
  problems.push(...differences("table", begin.tables, end.tables));
  return problems;
}

function differences(
  what: string,
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => (before[name] ?? 0) !== (after[name] ?? 0))
    .map((name) => `${what} ${name} was ${before[name] ?? 0} and is ${after[name] ?? 0}`);
}
