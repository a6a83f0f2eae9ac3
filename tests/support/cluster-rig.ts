import { type CoordinationStore, MemoryCoordinationStore } from "../../src/cluster/index.ts";
import { grpcPeerTransport } from "../../src/grpc/internal.ts";
import { Host, type HostOptions } from "../../src/host/index.ts";
import type { HostClusterOptions } from "../../src/host/internal.ts";
import { createMemoryNetwork, type Dialer, grpcDialer, grpcListener, type Link } from "../../src/transport/index.ts";

export interface ClusterHostRig extends AsyncDisposable {
  readonly host: Host;
  dial(): Link;
}

export interface ClusterRig extends AsyncDisposable {
  readonly store: MemoryCoordinationStore;
  readonly hosts: readonly ClusterHostRig[];
  readonly one: ClusterHostRig;
  readonly two: ClusterHostRig;
  /** Dials the listeners for workers, by the addresses of their hosts. */
  readonly dialer: Dialer;
  /** Dials the listener of a host for the links of others. In memory only. */
  readonly peers: Dialer;
  /** Cuts the links between the hosts; they dial again. In memory only. */
  cutLinks(): void;
  /** Starts one more host. */
  add(options?: ClusterRigOptions): Promise<ClusterHostRig>;
}

export interface ClusterRigOptions {
  /** A function makes those of each host. */
  readonly host?: HostOptions | (() => HostOptions) | undefined;
  readonly cluster?: Partial<HostClusterOptions> | undefined;
  /** How the host sees the store of the cluster. */
  readonly storeOf?: ((store: CoordinationStore) => CoordinationStore) | undefined;
}

export interface ClusterTransport {
  readonly name: string;
  start(options?: ClusterRigOptions & { readonly count?: number }): Promise<ClusterRig>;
}

/** Tests of hosts in a cluster run over each of these. */
export const clusterTransports: readonly ClusterTransport[] = [
  { name: "memory links", start: (options) => start(options, true) },
  { name: "gRPC", start: (options) => start(options, false) },
];

/** Starts hosts that agree on a coordination store in memory. */
async function start(
  options: ClusterRigOptions & { readonly count?: number } = {},
  isInMemory: boolean,
): Promise<ClusterRig> {
  const store = new MemoryCoordinationStore();
  const [workers, peers] = [createMemoryNetwork(), createMemoryNetwork()];
  const dialer = isInMemory ? workers : grpcDialer();
  const hosts: ClusterHostRig[] = [];
  const links: Link[] = [];
  const add = async (own: ClusterRigOptions = options): Promise<ClusterHostRig> => {
    const cluster: HostClusterOptions = {
      store: own.storeOf?.(store) ?? store,
      transport: isInMemory ? { dialer: peers, listener: peers, isMutual: false } : grpcPeerTransport(),
      peerAddress: "127.0.0.1:0",
      ...own.cluster,
    };
    const host = new Host(
      { listener: isInMemory ? workers : grpcListener(), address: "127.0.0.1:0" },
      { ...(typeof own.host === "function" ? own.host() : own.host), cluster },
    );
    await host.start();
    const dial = (): Link => {
      const link = dialer.dial(host.address);
      links.push(link);
      return link;
    };
    const rig = { host, dial, [Symbol.asyncDispose]: () => host.stop({ graceMs: 0 }) };
    hosts.push(rig);
    return rig;
  };
  for (let index = 0; index < (options.count ?? 2); index += 1) await add();
  const [one, two] = hosts;
  if (one === undefined || two === undefined) throw new Error("A rig needs two hosts.");
  return {
    ...{ store, hosts, one, two, add, dialer },
    peers,
    cutLinks: () => peers.cut(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(links.map((link) => link.close()));
      await Promise.all(hosts.map(({ host }) => host.stop({ graceMs: 0 })));
      await store.close();
    },
  };
}
