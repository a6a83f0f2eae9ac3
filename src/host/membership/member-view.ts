import type { ClusterMember, HostRecord, WorkerSession } from "../../cluster/internal.ts";
import type { Clock } from "../../core/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
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
  /** Whether another host tells of an open channel of a worker. */
  readonly isThere: (workerId: string) => boolean;
  readonly clock: Clock;
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
  /** The session under which each type of this host was registered; of a shared type each client has one. */
  readonly #holders = new Map<string, WorkerSession>();
  readonly #listeners = new Set<ClusterHostsListener>();
  readonly #told = new Set<string>();
  /** Registrations that wait for what becomes of a worker whose channel at another host has ended. */
  readonly #awaiting = new Map<string, Set<() => void>>();
  /** The clients of one address have two thirds of the places. */
  readonly #share = new FairShare(limits.waitingRegistrations);

  constructor(parts: MemberViewParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.#member = parts.member;
    this.hostId = parts.member.hostId;
  }

  get isServing(): boolean {
    return this.#member.isServing;
  }

  isLeaving(hostId: string): boolean {
    const state = this.#member.hosts.get(hostId)?.state;
    return state === "draining" || state === "dead";
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

  /** No host will serve the worker any more. */
  workerGone(workerId: string): void {
    this.#decided(workerId);
    for (const listener of this.#listeners) listener.workerGone(workerId);
  }

  workerHere(workerId: string): void {
    this.#decided(workerId);
  }

  workerOf(agentType: string): string | undefined {
    return this.#member.types.ownerOf(agentType)?.workerId;
  }

  async lookUp(agentType: string): Promise<string | undefined> {
    await this.#member.types.refresh(agentType);
    return this.workerOf(agentType);
  }

  isShared(agentType: string): boolean {
    return this.#member.types.get(agentType)?.mode === "shared";
  }

  async claimType(applicant: TypeApplicant): Promise<TypeGrant> {
    const { agentType, clientId, isShared, party, terms = "" } = applicant;
    if (!this.isServing) return isolated;
    const session = await this.#parts.joins.joinedAs(clientId, party ?? "");
    if (session === undefined) return notJoinedYet;
    let hasWaited = false;
    for (let tries = 0; tries < mostTries; tries += 1) {
      const outcome = isShared
        ? await this.#member.types.registerShared(agentType, session, terms)
        : await this.#member.types.registerExclusive(agentType, session);
      if (outcome.at === "registered") {
        this.#holders.set(nameOf(applicant), session);
        return { at: "granted" };
      }
      if (outcome.at === "full")
        return { at: "unavailable", reason: "The cluster has as many agent types as it takes (100 000)." };
      if (outcome.at === "share-full") return { at: "unavailable", reason: shareFullText };
      if (outcome.at !== "taken") return this.isServing ? storeSilent : isolated;
      const { record } = outcome;
      const holder =
        record.mode === "exclusive" ? record.workerId : this.#member.types.serversOf(agentType)[0]?.workerId;
      const burial = holder === undefined ? undefined : this.#parts.joins.buried(holder);
      const isLeaving = holder !== undefined && !hasWaited && this.#isLeavingOther(holder);
      if (burial === undefined && !isLeaving) return { at: "held", by: this.#clientOf(holder) };
      if (burial !== undefined) await burial;
      else if (holder !== undefined) hasWaited = await this.#decision(holder, party ?? "");
    }
    return storeSilent;
  }

  releaseType(agentType: string, clientId?: string): void {
    const name = nameOf({ agentType, clientId, isShared: clientId !== undefined });
    const session = this.#holders.get(name);
    this.#holders.delete(name);
    // A worker whose connection has ended keeps its types until it is gone, or until it registers them by its next one.
    if (session?.isCurrent !== true || this.#parts.isMoving(session)) return;
    void this.#member.types.unregister(agentType, session);
  }

  isLost(workerId: string): boolean {
    const { knownWorkers, hosts } = this.#member;
    const record = knownWorkers.get(workerId)?.record;
    if (record === undefined || record.hostId === this.hostId || this.#parts.isThere(workerId)) return false;
    if (record.state === "here") return hosts.isSilent(record.hostId, limits.lostHostMs);
    const isDead = hosts.get(record.hostId)?.state === "dead";
    return isDead && (knownWorkers.ageMs(workerId) ?? 0) < limits.freedTypesMs;
  }

  sessionNumber(channel: Peer): number {
    return this.#parts.joins.sessionOf(channel)?.number ?? 0;
  }

  // protocol.md §12.5
  /** Whether the channel of a worker at another host has ended, while no host has buried the worker and none has it. */
  #isLeavingOther(workerId: string): boolean {
    const record = this.#member.knownWorkers.get(workerId)?.record;
    return record?.state === "here" && record.hostId !== this.hostId && !this.#parts.isThere(workerId);
  }

  /** Resolves to true when such a worker is gone or has a channel again. Else when the time is up, unless its host is lost. */
  async #decision(workerId: string, party: string): Promise<true> {
    if (!this.#share.mayAdd(party)) return true;
    this.#share.add(party);
    const awaiting = this.#awaiting.get(workerId) ?? new Set();
    this.#awaiting.set(workerId, awaiting);
    await new Promise<void>((resolve) => {
      const late = (): void => {
        // The worker is gone when the lease of its host is over.
        if (this.isLost(workerId)) timer = this.#parts.clock.setTimer(limits.leavingOwnerMs, late);
        else settle();
      };
      let timer = this.#parts.clock.setTimer(limits.leavingOwnerMs, late);
      const settle = (): void => {
        timer.cancel();
        awaiting.delete(settle);
        if (awaiting.size === 0) this.#awaiting.delete(workerId);
        resolve();
      };
      awaiting.add(settle);
    });
    this.#share.remove(party);
    return true;
  }

  #decided(workerId: string): void {
    for (const settle of [...(this.#awaiting.get(workerId) ?? [])]) settle();
  }

  #clientOf(workerId: string | undefined): string {
    const record = workerId === undefined ? undefined : this.#member.knownWorkers.get(workerId)?.record;
    return record?.clientId ?? "unknown";
  }
}

function nameOf({
  agentType,
  clientId = "",
  isShared,
}: Pick<TypeApplicant, "agentType" | "isShared"> & { readonly clientId?: string | undefined }): string {
  return isShared ? `${agentType} ${clientId}` : agentType;
}

const shareFullText =
  "The workers of this address have named as many agent types of the cluster as they may. Use a key of an agent where you use a type now.";
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
