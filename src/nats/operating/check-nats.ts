import type { CoordinationCheck } from "../../cluster/internal.ts";
import { systemClock } from "../../core/internal.ts";
import { loadNats, type NatsModule } from "../driver.ts";
import { assertStoreOptions, type NatsStoreOptions } from "../nats-options.ts";
import { bestOf, readStreams, withServers } from "./inspect-nats.ts";
import { readHostRecords, tryRights } from "./try-rights.ts";

/** Checks the NATS servers of a cluster, and makes nothing. Rejects with `invalid-argument` alone. */
export async function checkNats(
  servers: string | readonly string[],
  options: NatsStoreOptions,
  load: () => Promise<NatsModule> = loadNats,
): Promise<CoordinationCheck> {
  assertStoreOptions(options);
  return withServers(servers, options, load, async (probed, clusterName) => {
    const reports = probed.map(({ report }) => report);
    const best = bestOf(probed);
    if (best?.client === undefined)
      return { servers: reports, streams: [], clockAheadMs: null, rights: [], hosts: null };
    const read = await readStreams(best.client, clusterName, options.clock ?? systemClock);
    const there = new Set(read.streams.flatMap(({ stream, state }) => (state === "missing" ? [] : [stream])));
    const [rights, hosts] = await Promise.all([
      tryRights(best, clusterName, (stream) => there.has(stream)),
      readHostRecords(best.client, clusterName),
    ]);
    return { servers: reports, ...read, rights, hosts: hosts?.filter(({ state }) => state !== "dead") ?? null };
  });
}
