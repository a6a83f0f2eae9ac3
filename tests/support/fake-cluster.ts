import type { ClusterHost, ClusterHostsListener, ClusterView, TypeGrant } from "../../src/host/peers/cluster-view.ts";
import type { Peer } from "../../src/host/sessions/peer.ts";

interface ServedType {
  readonly hostId: string;
  readonly clientId: string;
}

/** What all hosts of a cluster agree on, in this process. */
export class FakeCluster {
  readonly name: string;
  readonly #hosts = new Map<string, ClusterHost>();
  readonly #listeners = new Map<string, ClusterHostsListener>();
  readonly #types = new Map<string, ServedType>();
  /** Worker ids by client id, as channels open. */
  readonly #workers = new Map<string, string>();
  /** What hosts believe wrongly: worker ids by agent type. */
  readonly #rumours = new Map<string, { readonly workerId: string; readonly survivesLookUp: boolean }>();
  /** Hears of each type that a host asks for. */
  onClaim: (agentType: string) => void = () => undefined;
  #isStalled = false;
  #sessions = 0;

  constructor(name = "test") {
    this.name = name;
  }

  /** The cluster as one host sees it. */
  viewOf(hostId: string): ClusterView {
    return {
      name: this.name,
      hostId,
      isServing: true,
      isLeaving: () => false,
      watchHosts: (listener) => {
        this.#listeners.set(hostId, listener);
        for (const host of this.#hosts.values()) if (host.hostId !== hostId) listener.hostUp(host);
        return () => void this.#listeners.delete(hostId);
      },
      workerOf: (agentType) => this.#rumours.get(agentType)?.workerId ?? this.#workerOf(agentType),
      lookUp: async (agentType) => {
        if (this.#isStalled) return new Promise(() => undefined);
        if (this.#rumours.get(agentType)?.survivesLookUp === false) this.#rumours.delete(agentType);
        return this.#workerOf(agentType);
      },
      claimType: async ({ agentType, clientId }): Promise<TypeGrant> => {
        this.onClaim(agentType);
        const known = this.#types.get(agentType);
        if (known !== undefined && known.hostId !== hostId) return { at: "held", by: known.clientId };
        this.#types.set(agentType, { hostId, clientId });
        return { at: "granted" };
      },
      releaseType: (agentType) => {
        if (this.#types.get(agentType)?.hostId === hostId) this.#types.delete(agentType);
      },
      workerHere: () => undefined,
      isShared: () => false,
      isLost: () => false,
      sessionNumber: (channel: Peer) => {
        this.#workers.set(channel.id, channel.worker.id);
        this.#sessions += 1;
        return this.#sessions;
      },
    };
  }

  up(host: ClusterHost): void {
    this.#hosts.set(host.hostId, host);
    for (const [hostId, listener] of this.#listeners) if (hostId !== host.hostId) listener.hostUp(host);
  }

  /** The host is known to be gone, with its types. */
  down(hostId: string): void {
    this.#hosts.delete(hostId);
    for (const [agentType, served] of this.#types) if (served.hostId === hostId) this.#types.delete(agentType);
    for (const [other, listener] of this.#listeners) if (other !== hostId) listener.hostDown(hostId);
  }

  /** All hosts believe that a worker serves the type: until one looks it up, or for good. */
  spreadRumour(agentType: string, workerId: string, { survivesLookUp }: { readonly survivesLookUp: boolean }): void {
    this.#rumours.set(agentType, { workerId, survivesLookUp });
  }

  /** Look-ups have no answer from now on. */
  stallLookUps(): void {
    this.#isStalled = true;
  }

  /** Whether the cluster has granted the type to some host. */
  has(agentType: string): boolean {
    return this.#types.has(agentType);
  }

  #workerOf(agentType: string): string | undefined {
    const clientId = this.#types.get(agentType)?.clientId;
    return clientId === undefined ? undefined : (this.#workers.get(clientId) ?? clientId);
  }
}
