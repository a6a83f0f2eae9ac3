import type { StreamEnd } from "../../src/transport/index.ts";
import type { ClusterHostRig } from "./cluster-rig.ts";
import { RawWorker } from "./raw-worker.ts";

/** The numbers of gRPC's status codes that hosts of a cluster end channels with. */
export const status = { permissionDenied: 7, aborted: 10, unavailable: 14 } as const;

export interface ConnectionOptions {
  readonly workerId: string;
  readonly session: number;
  readonly clientId?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Words beside `lease`. */
  readonly capabilities?: string | undefined;
}

/** One connection of a worker of Troupe's, which counts its connections and knows leases. */
export function connection(host: ClusterHostRig, options: ConnectionOptions): RawWorker {
  const { workerId, session, clientId = `${workerId}-${session}`, metadata = {}, capabilities = "lease" } = options;
  return new RawWorker(host.dial(), clientId, {
    isAnnounced: true,
    metadata: { agworker: workerId, agsession: String(session), agcaps: capabilities, ...metadata },
  });
}

/** The status with which a host has ended a worker's channel, or what has ended it else. */
export async function statusOf(worker: RawWorker): Promise<unknown> {
  const end: StreamEnd = await worker.ended;
  return end.by === "status" ? end.status : end;
}
