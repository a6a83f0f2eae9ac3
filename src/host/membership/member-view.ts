import type { ClusterMember, HostRecord, TypeOutcome, WorkerSession } from "../../cluster/internal.ts";
import type { ClusterHostsListener, ClusterView, TypeApplicant, TypeGrant } from "../peers/cluster-view.ts";
import type { Peer } from "../sessions/peer.ts";
import type { ChannelJoins } from "./channel-joins.ts";

export interface MemberViewParts {
  /** The name of the cluster. */
  readonly name: string;
  readonly member: ClusterMember;
  readonly joins: ChannelJoins;
  /** Whether the worker moves to another host: it keeps its types. */
  readonly isMoving: (session: WorkerSession) => boolean;
}

/** Times that a registration asks again because the worker that had the type was just leaving this host. */
const mostTries = 3;

// protocol.md §12
/** One life of this host in its cluster, as the links between hosts see it. */
export class MemberView implements ClusterView {
  readonly name: string;
  readonly hostId: string;
  readonly #parts: MemberViewParts;
  readonly #member: ClusterMember;
  /** The session under which each type of this host was registered. */
  readonly #holders = new Map<string, WorkerSession>();
  readonly #listeners = new Set<ClusterHostsListener>();
  readonly #told = new Set<string>();

  constructor(parts: MemberViewParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.#member = parts.member;
    this.hostId = parts.member.hostId;
  }

  get isServing(): boolean {
    return this.#member.isServing;
  }

  watchHosts(listener: ClusterHostsListener): () => void {
    this.#listeners.add(listener);
    for (const host of this.#member.hosts.living()) if (this.#told.has(host.hostId)) listener.hostUp(asHost(host));
    for (const host of this.#member.hosts.living()) this.hostChanged(host);
    return () => this.#listeners.delete(listener);
  }

  /** A host's record is new, or has another state. */
  hostChanged(host: HostRecord): void {
    const { hostId, state } = host;
    if (hostId === this.hostId) return;
    const isUp = state !== "dead";
    if (isUp === this.#told.has(hostId)) return;
    if (isUp) this.#told.add(hostId);
    else this.#told.delete(hostId);
    for (const listener of this.#listeners) {
      if (isUp) listener.hostUp(asHost(host));
      else listener.hostDown(hostId);
    }
  }

  workerOf(agentType: string): string | undefined {
    return this.#member.types.ownerOf(agentType)?.workerId ?? this.#soleServer(agentType);
  }

  async lookUp(agentType: string): Promise<string | undefined> {
    await this.#member.types.refresh(agentType);
    return this.workerOf(agentType);
  }

  async claimType({ agentType, clientId, isShared, party }: TypeApplicant): Promise<TypeGrant> {
    if (!this.isServing) return isolated;
    const session = await this.#parts.joins.joinedAs(clientId, party ?? "");
    if (session === undefined) return notJoinedYet;
    for (let tries = 0; tries < mostTries; tries += 1) {
      const outcome = isShared
        ? await this.#registerShared(agentType, session)
        : await this.#member.types.registerExclusive(agentType, session);
      if (outcome.at === "registered") {
        this.#holders.set(agentType, session);
        return { at: "granted" };
      }
      if (outcome.at === "full")
        return { at: "unavailable", reason: "The cluster has as many agent types as it takes (100 000)." };
      if (outcome.at !== "taken") return this.isServing ? storeSilent : isolated;
      const holder = this.#holderOf(
        outcome.record.mode === "exclusive" ? outcome.record.workerId : undefined,
        agentType,
      );
      const burial = holder === undefined ? undefined : this.#parts.joins.buried(holder);
      if (burial === undefined) return { at: "held", by: this.#clientOf(holder) };
      await burial;
    }
    return storeSilent;
  }

  releaseType(agentType: string): void {
    const session = this.#holders.get(agentType);
    this.#holders.delete(agentType);
    // A worker whose connection has ended keeps its types until it is gone, or until it registers them by its next one.
    if (session?.isCurrent !== true || this.#parts.isMoving(session)) return;
    void this.#member.types.unregister(agentType, session);
  }

  sessionNumber(channel: Peer): number {
    return this.#parts.joins.sessionOf(channel)?.number ?? 0;
  }

  /** A shared type is served by one host alone: by the one whose workers registered it first. */
  async #registerShared(agentType: string, session: WorkerSession): Promise<TypeOutcome> {
    const elsewhere = this.#soleServer(agentType);
    const record = this.#member.types.get(agentType);
    if (elsewhere !== undefined && record !== undefined) return { at: "taken", record };
    return await this.#member.types.registerShared(agentType, session, "");
  }

  /** A worker of another host that serves a shared type. */
  #soleServer(agentType: string): string | undefined {
    if (this.#member.types.get(agentType)?.mode !== "shared") return undefined;
    return this.#member.types.serversOf(agentType).find(({ hostId }) => hostId !== this.hostId)?.workerId;
  }

  #holderOf(workerId: string | undefined, agentType: string): string | undefined {
    return workerId ?? this.#soleServer(agentType) ?? this.#member.types.serversOf(agentType)[0]?.workerId;
  }

  #clientOf(workerId: string | undefined): string {
    const record = workerId === undefined ? undefined : this.#member.knownWorkers.get(workerId)?.record;
    return record?.clientId ?? "unknown";
  }
}

const isolated: TypeGrant = {
  at: "unavailable",
  reason: "This host has lost touch with its cluster. Try again later.",
};
const storeSilent: TypeGrant = {
  at: "unavailable",
  reason: "The store of the cluster did not answer in time. Try again.",
};
const notJoinedYet: TypeGrant = {
  at: "unavailable",
  reason: "The worker's data channel did not come in time. Open it first, then register.",
};

function asHost({ hostId, peerAddress }: HostRecord): { readonly hostId: string; readonly address: string } {
  return { hostId, address: peerAddress };
}
