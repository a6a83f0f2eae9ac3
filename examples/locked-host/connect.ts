import { readFile } from "node:fs/promises";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";

export interface Credentials {
  /** File of the authority whose certificate the host must have. */
  readonly caFile: string;
  /** File with the token that tells the host who this worker is. It is read for each connection, so a new token needs no restart. */
  readonly tokenFile?: string;
}

/** Makes a worker that speaks TLS and shows its token. */
export function workerAt(address: string, name: string, { caFile, tokenFile }: Credentials): GrpcWorkerAgentRuntime {
  const metadata = async (): Promise<Record<string, string>> => {
    if (tokenFile === undefined) return {};
    return { authorization: `Bearer ${(await readFile(tokenFile, "utf8")).trim()}` };
  };
  return new GrpcWorkerAgentRuntime(address, {
    name,
    channelOptions: { tls: { caFile }, metadata },
  });
}
