import { grpcPeerTransport } from "../../src/grpc/internal.ts";
import { Host, type HostOptions } from "../../src/host/index.ts";
import { HostServicer, type JoinedOthers, type JoinOthersOptions, joinOthers } from "../../src/host/internal.ts";
import { partsOf } from "../../src/host/servicer.ts";
import { createMemoryNetwork, type Link, type MemoryNetwork } from "../../src/transport/index.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { testCertificate, testKey } from "./test-certificate.ts";

export interface LinkedHost {
  readonly hostId: string;
  readonly host: Host;
  readonly joined: JoinedOthers;
  dial(): Link;
  /** The number of waiting calls that hosts have told this one. */
  toldWaits(): number;
}

export interface LinkedHostsRig extends AsyncDisposable {
  readonly cluster: FakeCluster;
  readonly hosts: readonly LinkedHost[];
  readonly one: LinkedHost;
  readonly two: LinkedHost;
  /** Cuts the links between the hosts; they dial again. In memory only. */
  cutLinks(): void;
}

export interface LinkedHostsOptions {
  readonly host?: HostOptions | undefined;
  readonly join?: Partial<JoinOthersOptions> | undefined;
  readonly count?: number | undefined;
}

export interface LinkedTransport {
  readonly name: string;
  start(options?: LinkedHostsOptions): Promise<LinkedHostsRig>;
}

const peerTls = { ca: testCertificate, cert: testCertificate, key: testKey };

/** Tests of links between hosts run over each of these. */
export const linkedTransports: readonly LinkedTransport[] = [
  { name: "memory links", start: (options) => start(options, createMemoryNetwork()) },
  { name: "gRPC links", start: (options) => start(options, undefined) },
  { name: "links with mutual TLS", start: (options) => start(options, undefined, peerTls) },
];

/** Starts hosts that are linked with each other both ways. */
async function start(
  { host: hostOptions = {}, join = {}, count = 2 }: LinkedHostsOptions = {},
  network: MemoryNetwork | undefined,
  tls?: typeof peerTls,
): Promise<LinkedHostsRig> {
  const cluster = new FakeCluster();
  const workers = createMemoryNetwork();
  const hosts: LinkedHost[] = [];
  const links: Link[] = [];
  for (let index = 1; index <= count; index += 1) {
    const hostId = `h${index}`;
    const servicer = new HostServicer(hostOptions);
    const transport =
      network === undefined ? grpcPeerTransport({ tls }) : { dialer: network, listener: network, isMutual: false };
    const joined = await joinOthers(servicer, {
      ...{ cluster: cluster.viewOf(hostId), transport, address: "127.0.0.1:0" },
      ...join,
    });
    const host = new Host({ listener: workers, address: "127.0.0.1:0", servicer });
    await host.start();
    const dial = (): Link => {
      const link = workers.dial(host.address);
      links.push(link);
      return link;
    };
    const toldWaits = (): number => partsOf(servicer).calls.clusterRings.toldSize;
    hosts.push({ hostId, host, joined, dial, toldWaits });
    cluster.up({ hostId, address: joined.address });
  }
  await linked(hosts);
  const [one, two] = hosts;
  if (one === undefined || two === undefined) throw new Error("A rig needs two hosts.");
  return {
    ...{ cluster, hosts, one, two },
    cutLinks: () => network?.cut(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(links.map((link) => link.close()));
      await Promise.all(hosts.map(({ host }) => host.stop({ graceMs: 0 })));
    },
  };
}

/** Resolves when each host has a link to each other one. */
export async function linked(hosts: readonly LinkedHost[]): Promise<void> {
  const isLinked = ({ joined }: LinkedHost): boolean => {
    const { to, from } = joined.linkedHosts();
    return to.length === hosts.length - 1 && from.length === hosts.length - 1;
  };
  while (!hosts.every(isLinked)) await new Promise((resolve) => setImmediate(resolve));
}
