import { type AgentPlacement, hashOfText } from "../../core/internal.ts";
import type { WorkerLoad } from "../../protocol/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { IsDeaf } from "../registry/type-owners.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";
import type { AgentDirectory, Claim } from "./agent-directory.ts";
import { mostKeyChars } from "./claim-table.ts";
import { type Candidate, compareVersions, directors } from "./directors.ts";
import type { AcrossSeat, LeavingAgents } from "./leaving-agents.ts";
import type { Expected, Found, Located, Nowhere, Placed, Seeker } from "./located.ts";
import { type LostAgents, nameOf } from "./lost-agents.ts";
import type { MovingAgent } from "./moving-agent.ts";
import type { StockUnit, StockUnits } from "./stock-units.ts";
import type { WorkerDrains } from "./worker-drains.ts";
import type { Workers } from "./workers.ts";

// protocol.md §12.8
/** The places of agents in a cluster, as placement needs them. */
export interface LocatesAcross {
  /** `leaving`: the entry of an agent for which this host asks, or lets go, a worker of its own. */
  locate(type: SharedType, key: string, seeker: Seeker, leaving: MovingAgent | undefined): Located;
  /** Workers of other hosts that serve a type. */
  peersOf(type: SharedType): readonly Peer[];
  isDraining(peer: Peer): boolean;
  /** A worker of this host has opened a channel, or serves one more type. */
  workerHere(workerId: string): void;
  /** Agents and calls of a worker, as far as this host knows. */
  loadOf(peer: Peer): WorkerLoad;
}

const noLoad = (): WorkerLoad => ({ agents: 0, calls: 0 });

/** A search for a worker that gets an agent. */
export interface Choosing {
  readonly key: string;
  readonly caller: Peer | undefined;
  /** The version of the worker must be higher. */
  readonly above?: string | undefined;
  /** A worker that is taken only if there is no other. */
  readonly except?: string | undefined;
  /** Workers of other hosts are taken only if this host has no worker of the type. */
  readonly isHere?: boolean | undefined;
}

export interface PlacementParts {
  /** Where agents are looked for at other hosts. */
  readonly across: AcrossSeat<LocatesAcross>;
  readonly directory: AgentDirectory;
  readonly workers: Workers;
  readonly units: StockUnits;
  readonly leaving: LeavingAgents;
  readonly drains: WorkerDrains;
  readonly lost: LostAgents;
  readonly sharedType: (name: string) => SharedType | undefined;
  readonly peers: PeerTable;
  readonly isDeaf: IsDeaf;
  /** For types whose first owner names none. */
  readonly placement: AgentPlacement;
  readonly versionPolicy: "newest" | "any";
  readonly random: () => number;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
}

/** Workers that may get new agents of a type, or why there is none. */
type Choice =
  | {
      readonly at: "some";
      readonly candidates: readonly Candidate[];
      /** Whether there are others, which stop. */
      readonly areOthersDraining: boolean;
    }
  | Expected
  | Nowhere;

// protocol.md §11.14
/** Finds the worker of each agent of a shared type, and chooses one for an agent that has none. */
export class Placement {
  readonly #parts: PlacementParts;
  /** The workers that may get new agents, by type; forgotten with each change of workers or owners. */
  #choices = new WeakMap<SharedType, Choice>();
  readonly #turns = new WeakMap<SharedType, number>();

  constructor(parts: PlacementParts) {
    this.#parts = parts;
  }

  /** Owners of shared types, or workers, have come or gone. */
  changed(): void {
    this.#choices = new WeakMap();
    this.#parts.directory.versions.changedAll();
  }

  peerOpened(peer: Peer): void {
    this.#parts.workers.opened(peer);
    this.changed();
    this.#parts.drains.workerOpened(peer);
    this.#parts.across.now?.workerHere(peer.worker.id);
  }

  /** A client serves one more shared type. Messages may wait for that: a worker that comes from another host opens its channel first. */
  ownerJoined(clientId: string): void {
    const { across, peers } = this.#parts;
    if (across.now === undefined) return;
    // The registration ends first.
    queueMicrotask(() => {
      const peer = peers.of(clientId);
      if (peer !== undefined) across.now?.workerHere(peer.worker.id);
    });
  }

  /** The channel has ended, or its worker takes no more calls on it. With its last channel a worker loses its claims. `isLost`: not in order. */
  peerEnded(peer: Peer, { isLost = false }: { readonly isLost?: boolean } = {}): void {
    const { workers, directory, leaving, drains, observers } = this.#parts;
    const isGone = workers.ended(peer);
    this.changed();
    const workerId = peer.worker.id;
    if (!isGone) return leaving.channelEnded(workerId);
    if (isLost) this.#noteLoss(peer);
    const count = directory.countOf(workerId);
    if (count > 0) {
      directory.workerGone(workerId);
      observers.now?.({ at: "claim", what: "lost", workerId, clientId: peer.id, count });
    }
    leaving.claimsEnded(workerId);
    drains.workerGone(workerId);
  }

  // protocol.md §12.8
  /** Whether agents of shared types may be at other hosts. */
  get isAcross(): boolean {
    return this.#parts.across.now !== undefined;
  }

  /** Returns the open channels of the worker that has this one, the oldest first. */
  channelsOf(peer: Peer): readonly Peer[] {
    return this.#parts.workers.peersOf(peer.worker.id);
  }

  /** Whether the worker of this channel has lost its claims because the time in which it stops was over. */
  isRevoked(peer: Peer): boolean {
    return this.#parts.workers.isRevoked(peer);
  }

  /** Finds the worker of an agent. An agent without a worker gets one, unless it is on its way from one to another. */
  locate(type: SharedType, key: string, seeker: Seeker): Located {
    const { leaving } = this.#parts;
    const agent = leaving.size > 0 ? leaving.find(type, key) : undefined;
    const across = this.#parts.across.now;
    if (across !== undefined) return across.locate(type, key, seeker, agent);
    return agent === undefined
      ? this.place(type, key, seeker)
      : { at: "moving", agent, holder: this.holderOf(type, key) };
  }

  /** Returns why no message goes to an agent; undefined: its place is searched. */
  whyNowhere(type: SharedType, key: string): Nowhere | undefined {
    const { lost } = this.#parts;
    const quarantine = lost.size > 0 ? lost.whyNot(type.name, key) : undefined;
    if (quarantine !== undefined) return { at: "nowhere", code: "undeliverable", reason: quarantine };
    if (key.length <= mostKeyChars) return undefined;
    const reason = `The key of an agent of the shared type ${type.name} has at most ${mostKeyChars} characters.`;
    return { at: "nowhere", code: "undeliverable", reason };
  }

  /** The agents for which a lost worker had calls may be why it was lost. */
  #noteLoss({ incomingCalls }: Peer): void {
    const { sharedType, lost } = this.#parts;
    const names = new Set<string>();
    for (const { targetType, targetKey } of incomingCalls.all()) {
      if (sharedType(targetType) !== undefined) names.add(nameOf(targetType, targetKey));
      if (names.size >= limits.rememberedLosses) break;
    }
    if (names.size > 0) lost.lost(names);
  }

  /** Finds the worker of this host that holds an agent. */
  holderOf(type: SharedType, key: string): Found | undefined {
    const { directory, workers } = this.#parts;
    const claim = directory.find(type, key);
    const peer = claim && workers.peerOf(claim.workerId);
    if (peer === undefined || claim === undefined) return undefined;
    // In a cluster workers have claims that know nothing of them.
    const isTold = this.#parts.across.now === undefined || isAware(type, peer);
    return { at: "found", peer, epoch: isTold ? claim.epoch : undefined };
  }

  /** Finds or chooses the worker of an agent that does not leave. `above`: the version of its worker must be higher. */
  place(type: SharedType, key: string, seeker: Seeker, above?: string): Placed {
    const holder = this.holderOf(type, key) ?? this.whyNowhere(type, key);
    if (holder !== undefined) return holder;
    const unit = this.#parts.units.unitOf(type);
    return unit === undefined ? this.#placeAlone(type, key, seeker, above) : this.#placeInUnit(unit, type, key, seeker);
  }

  #placeAlone(type: SharedType, key: string, seeker: Seeker, above: string | undefined): Placed {
    const chosen = this.choose(type, { key, caller: seeker.caller, above });
    return "at" in chosen ? chosen : this.#take(type, key, chosen, seeker);
  }

  /** Chooses a worker by the strategy of the type, or says why no worker can get the agent. */
  choose(type: SharedType, { key, caller, above, except, isHere = false }: Choosing): Candidate | Expected | Nowhere {
    const choice = above === undefined ? this.#choiceOf(type) : this.#choiceAbove(type, above);
    if (choice.at !== "some") return choice;
    const others =
      except === undefined ? choice.candidates : choice.candidates.filter(({ worker }) => worker.id !== except);
    const hereFirst = isHere ? others.filter(({ peer }) => this.#parts.peers.of(peer.id) === peer) : [];
    const candidates = [hereFirst, others, choice.candidates].find(({ length }) => length > 0) ?? [];
    if (candidates.length === 0) return noneStays(type);
    const { placement, random, directory, across } = this.#parts;
    const strategy = type.terms.placement ?? placement;
    const turn = strategy === "round-robin" ? this.#nextTurn(type) : 0;
    const loadOf = (peer: Peer): WorkerLoad =>
      across.now?.loadOf(peer) ?? { agents: directory.countOf(peer.worker.id), calls: peer.incomingCalls.size };
    const chosen = directors[strategy]({ key, callerId: caller?.worker.id, turn, random, loadOf }, candidates);
    return chosen ?? nowhere(`No worker serves agent type ${type.name}.`);
  }

  #nextTurn(type: SharedType): number {
    const turn = this.#turns.get(type) ?? 0;
    this.#turns.set(type, turn + 1);
    return turn;
  }

  #placeInUnit(unit: StockUnit, type: SharedType, key: string, seeker: Seeker): Placed {
    const { units, workers } = this.#parts;
    const choice = this.#choiceOf(type);
    if (choice.at !== "some") return choice;
    if (choice.areOthersDraining) {
      // A stock worker that stops can't let agents go: it keeps those that it has.
      const kept = units.placeOf(unit, key) ?? units.placeOf(perType(unit, type), key);
      const peer = kept !== undefined && workers.isDraining(kept) ? workers.peerOf(kept) : undefined;
      if (peer !== undefined && type.isOwner(peer.id) && !isAware(type, peer))
        return { at: "found", peer, epoch: undefined };
    }
    if (choice.candidates.length === 0) return noneStays(type);
    const whole = choice.candidates.filter(({ peer }) => unit.clients.has(peer.id));
    const candidates = whole.length > 0 ? whole : choice.candidates;
    // Where no worker serves the whole unit, each type has its own places.
    const place = whole.length > 0 ? unit : perType(unit, type);
    const known = units.placeOf(place, key);
    const stays = known === undefined ? undefined : workers.peerOf(known);
    const sticky = stays && candidates.find(({ peer }) => peer.worker.id === stays.worker.id);
    const request = { key, callerId: undefined, turn: 0, random: this.#parts.random, loadOf: noLoad };
    const chosen = sticky ?? directors.hash(request, candidates);
    if (chosen !== undefined && sticky === undefined) units.place(place, key, chosen.worker.id);
    return this.#take(type, key, chosen, seeker);
  }

  /** Enters the claim of a worker that knows of claims. */
  #take(type: SharedType, key: string, chosen: Candidate | undefined, { payer }: Seeker): Placed {
    if (chosen === undefined) return nowhere(`No worker serves agent type ${type.name}.`);
    const { peer, worker } = chosen;
    if (!isAware(type, peer)) return { at: "found", peer, epoch: undefined };
    const { directory, counters, observers, workers } = this.#parts;
    const party = (payer ?? peer).account.party;
    const outcome = directory.claim({ type, key, workerId: worker.id, party });
    // Only in a cluster the directory asks others, and there `AgentRoutes` claims.
    if (!("at" in outcome) || outcome.at !== "held") {
      counters.refusedClaims += 1;
      return { at: "nowhere", code: "overloaded", reason: "reason" in outcome ? outcome.reason : "" };
    }
    const { claim } = outcome;
    if (observers.now !== undefined) observers.now(madeOccurrence(claim, peer));
    // What comes next takes the newest channel of the holder, and must not overtake this message.
    return { at: "found", peer: workers.peerOf(worker.id) ?? peer, epoch: claim.epoch };
  }

  #choiceOf(type: SharedType): Choice {
    let choice = this.#choices.get(type);
    if (choice === undefined) {
      choice = this.#choose(type);
      this.#choices.set(type, choice);
    }
    return choice;
  }

  #choose(type: SharedType): Choice {
    const { peers, isDeaf, versionPolicy, workers, across } = this.#parts;
    const here = type.owners.flatMap((clientId) => peers.of(clientId) ?? []);
    const open = across.now === undefined ? here : [...here, ...across.now.peersOf(type)];
    const expected = type.owners.find((clientId) => peers.of(clientId) === undefined);
    const hearing = open.filter((peer) => !isDeaf(peer.id));
    const { requires } = type.terms;
    const fitting = hearing.filter(({ worker }) =>
      Object.entries(requires).every(([name, value]) => worker.labels[name] === value),
    );
    if (fitting.length === 0) {
      if (expected !== undefined) return { at: "expected", clientId: expected };
      if (hearing.length > 0) return nowhere(noneHasLabels(type, hearing.length));
      return nowhere(`No worker of agent type ${type.name} takes calls now.`);
    }
    const byWorker = new Map<string, Candidate>();
    for (const peer of fitting) {
      // While a worker changes its connection, the newer one counts.
      const newest = workers.peerOf(peer.worker.id);
      const current = newest !== undefined && type.isOwner(newest.id) ? newest : peer;
      const { worker } = peer;
      byWorker.set(worker.id, { worker, peer: current, nameHash: hashOfText(worker.name) });
    }
    const all = [...byWorker.values()].filter(
      ({ worker, peer }) => !workers.isDraining(worker.id) && across.now?.isDraining(peer) !== true,
    );
    const areOthersDraining = all.length < byWorker.size;
    if (versionPolicy === "any" || all.length === 0) return { at: "some", candidates: all, areOthersDraining };
    const newest = all.map(({ worker }) => worker.version).reduce((a, b) => (compareVersions(a, b) < 0 ? b : a));
    const candidates = all.filter(({ worker }) => compareVersions(worker.version, newest) === 0);
    return { at: "some", candidates, areOthersDraining };
  }

  // protocol.md §11.17
  /** Workers that may read a state which a worker of this version could not read. */
  #choiceAbove(type: SharedType, version: string): Choice {
    const choice = this.#choiceOf(type);
    if (choice.at !== "some") return choice;
    const candidates = choice.candidates.filter(
      ({ worker }) => compareVersions(worker.version, version || undefined) > 0,
    );
    if (candidates.length > 0) return { ...choice, candidates };
    const reason = `The stored state of this agent is of a newer version than the workers of agent type ${type.name} know. Upgrade them.`;
    return { at: "nowhere", code: "state-too-new", reason };
  }
}

/** Whether the worker has registered the type as shared, and gets epochs. */
function isAware(type: SharedType, peer: Peer): boolean {
  return peer.traits.capabilities.has("claims") && !type.unaware.has(peer.id);
}

function perType(unit: StockUnit, type: SharedType): StockUnit {
  return { ...unit, name: `${unit.name}:${type.name}` };
}

function noneStays(type: SharedType): Nowhere {
  const reason = `All workers of agent type ${type.name} stop. Try again when another one is there.`;
  return { at: "nowhere", code: "shutting-down", reason };
}

function nowhere(reason: string): Nowhere {
  return { at: "nowhere", code: "undeliverable", reason };
}

function noneHasLabels({ name, terms }: SharedType, count: number): string {
  const labels = Object.entries(terms.requires).map(([label, value]) => `${label}=${value}`);
  return `None of the ${count} workers of agent type ${name} has the labels that it requires: ${labels.join(", ")}.`;
}

function madeOccurrence({ type, key, workerId }: Claim, { id: clientId }: Peer) {
  return { at: "claim", what: "made", agentType: type, key, workerId, clientId } as const;
}
