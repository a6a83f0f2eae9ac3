import { parseEpoch } from "../../src/core/internal.ts";
import type { HostOptions } from "../../src/host/index.ts";
import type { ClaimedAgent, Frame } from "../../src/protocol/index.ts";
import { type ClusterHostRig, type ClusterRig, clusterTransports } from "./cluster-rig.ts";
import type { Request } from "./leaving-rooms.ts";
import { exact, RawWorker } from "./raw-worker.ts";

export interface RoomsRig extends AsyncDisposable {
  readonly rig: ClusterRig;
}

/** A scripted worker of a shared type at a host of a cluster, which counts its connections. */
export async function clusterWorker(
  host: ClusterHostRig,
  workerId: string,
  {
    session = 1,
    ...metadata
  }: { readonly session?: number; readonly agversion?: string; readonly aglabels?: string } = {},
): Promise<RawWorker> {
  const raw = await new RawWorker(host.dial(), `${workerId}-${session}`, {
    isAnnounced: true,
    metadata: { agcaps: "claims,turns", agworker: workerId, agsession: String(session), ...metadata },
  }).join();
  await raw.register("room", { agshared: "1" });
  await raw.subscribe("s", exact("news", "room"));
  return raw;
}

/** Another client of a host, which makes calls and publishes. */
export function clientOf(host: ClusterHostRig, id: string): Promise<RawWorker> {
  return new RawWorker(host.dial(), id, { isAnnounced: true, metadata: { agworker: id, agsession: "1" } }).join();
}

export async function startAcross(
  options: HostOptions & { readonly count?: number; readonly transport?: number; readonly moveTimeoutMs?: number } = {},
): Promise<ClusterRig> {
  const { count = 2, transport: at = 0, moveTimeoutMs, ...host } = options;
  const transport = clusterTransports[at];
  if (transport === undefined) throw new Error("there is no transport");
  return await transport.start({ count, host, cluster: { moveTimeoutMs } });
}

/** The claim of the agent under which a call came. */
export function claimOf({ target, metadata }: Request): ClaimedAgent {
  return { type: target?.type ?? "", key: target?.key ?? "", epoch: parseEpoch(metadata.agepoch ?? "") };
}

/** The requests among frames, in short: their keys and payloads do not matter, their source ids do. */
export function requestsIn(frames: readonly Frame[]): readonly Request[] {
  return frames.filter((frame) => frame.kind === "request");
}
