import { type NatsKind, NatsServers } from "../peers/nats-servers.ts";
import { startHost } from "../peers/start-host.ts";
import type { PeerProcess } from "../support/peer-process.ts";
import type { ProcessGroup } from "../support/process-group.ts";
import { thisNode, troupeCommand } from "../support/project.ts";

/** A `troupe host` of a cluster. */
export interface ClusterHost {
  readonly process: PeerProcess;
  /** The address that workers dial. */
  readonly address: string;
}

/** Hosts of one cluster, and the NATS servers on which they agree. Their roles are `host A`, `host B` and so on, and `nats`. */
export class HostCluster {
  readonly hosts: ClusterHost[] = [];
  readonly #group: ProcessGroup;
  readonly #servers: NatsServers;

  private constructor(group: ProcessGroup, servers: NatsServers) {
    this.#group = group;
    this.#servers = servers;
  }

  /** Starts the servers and so many hosts. */
  static async start(group: ProcessGroup, nats: NatsKind, count: number): Promise<HostCluster> {
    const servers = await NatsServers.start(nats);
    servers.watchIn(group);
    const cluster = new HostCluster(group, servers);
    await cluster.add(count);
    return cluster;
  }

  /** Starts hosts on servers that the caller stops. */
  static async on(servers: NatsServers, group: ProcessGroup, count: number): Promise<HostCluster> {
    servers.watchIn(group);
    const cluster = new HostCluster(group, servers);
    await cluster.add(count);
    return cluster;
  }

  /** Starts more hosts; resolves when they are ready. */
  async add(count: number, flags: readonly string[] = []): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      const role = `host ${String.fromCharCode(65 + this.hosts.length)}`;
      const process = this.#group.start(role, [
        ...[...thisNode, troupeCommand(), "host", "--address", "127.0.0.1:0", "--no-admin", "--no-balance-workers"],
        ...["--cluster", this.#servers.urls, "--max-queued-bytes", `${1024 ** 3}`],
        ...flags,
      ]);
      this.hosts.push({ process, address: await process.match(/127\.0\.0\.1:\d+/) });
    }
  }

  /** The address of a host. */
  address(at: number): string {
    return this.hosts[at % this.hosts.length]?.address ?? "";
  }

  get addresses(): readonly string[] {
    return this.hosts.map(({ address }) => address);
  }

  /** Stops the servers, after the group has stopped. */
  stop(): Promise<void> {
    return this.#servers.stop();
  }
}

/** Hosts of a contender: one that is alone, or some of a cluster. */
export type HostsWanted =
  | { readonly alone: true }
  | { readonly alone?: false; readonly count: number; readonly nats: NatsKind };

/** The hosts of a contender that have started. */
export interface StartedHosts {
  /** The address of a host; those of one that is alone are the same. */
  address(at: number): string;
  stop(): Promise<void>;
}

export async function startHosts(group: ProcessGroup, wanted: HostsWanted): Promise<StartedHosts> {
  if (wanted.alone !== true) return await HostCluster.start(group, wanted.nats, wanted.count);
  const address = await startHost(group, "troupe", ["--max-queued-bytes", `${1024 ** 3}`]);
  return { address: () => address, stop: async () => undefined };
}
