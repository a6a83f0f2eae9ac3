import type { AgentPlacement, Epoch } from "../../core/internal.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { HostObserver } from "../observer.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { IsDeaf } from "../registry/type-owners.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";
import type { AgentDirectory, Claim } from "./agent-directory.ts";
import { mostKeyChars } from "./claim-table.ts";
import { type Candidate, compareVersions, directors } from "./directors.ts";
import type { StockUnit, StockUnits } from "./stock-units.ts";
import type { Workers } from "./workers.ts";

export interface PlacementParts {
  readonly directory: AgentDirectory;
  readonly workers: Workers;
  readonly units: StockUnits;
  readonly peers: PeerTable;
  readonly isDeaf: IsDeaf;
  /** For types whose first owner names none. */
  readonly placement: AgentPlacement;
  readonly versionPolicy: "newest" | "any";
  readonly random: () => number;
  readonly counters: MutableHostCounters;
  readonly observer: HostObserver | undefined;
}

/** The outcome of the search for an agent's worker. */
export type Located =
  /** `epoch`: of the agent's claim; undefined for a worker that knows nothing of claims. */
  | { readonly at: "found"; readonly peer: Peer; readonly epoch: Epoch | undefined }
  /** An owner has registered the type, and its channel is still to come. */
  | { readonly at: "expected"; readonly clientId: string }
  | { readonly at: "nowhere"; readonly code: "undeliverable" | "overloaded"; readonly reason: string };

/** The search for one agent: its cause, and its cost. */
export interface Seeker {
  /** The worker whose message it is. */
  readonly caller: Peer | undefined;
  /** The claim counts with the share of this client. Undefined: with that of the worker that gets the agent. */
  readonly payer: Pick<Peer, "account"> | undefined;
}

/** Workers that may get new agents of a type, or why there is none. */
type Choice =
  | { readonly at: "some"; readonly candidates: readonly Candidate[] }
  | Extract<Located, { readonly at: "expected" | "nowhere" }>;

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
  }

  peerOpened(peer: Peer): void {
    this.#parts.workers.opened(peer);
    this.changed();
  }

  /** The channel has ended, or its worker takes no more calls on it. With its last channel a worker loses its claims. */
  peerEnded(peer: Peer): void {
    const { workers, directory, observer } = this.#parts;
    const isGone = workers.ended(peer);
    this.changed();
    if (!isGone) return;
    const workerId = peer.worker.id;
    const count = directory.countOf(workerId);
    if (count === 0) return;
    directory.workerGone(workerId);
    observer?.({ at: "claim", what: "lost", workerId, clientId: peer.id, count });
  }

  /** Finds the worker of an agent. An agent without a worker gets one. */
  locate(type: SharedType, key: string, seeker: Seeker): Located {
    const { directory, workers, units } = this.#parts;
    const claim = directory.find(type, key);
    if (claim !== undefined) {
      const peer = workers.peerOf(claim.workerId);
      if (peer !== undefined) return { at: "found", peer, epoch: claim.epoch };
    }
    if (key.length > mostKeyChars) {
      const reason = `The key of an agent of the shared type ${type.name} has at most ${mostKeyChars} characters.`;
      return { at: "nowhere", code: "undeliverable", reason };
    }
    const unit = units.unitOf(type);
    return unit === undefined ? this.#placeAlone(type, key, seeker) : this.#placeInUnit(unit, type, key, seeker);
  }

  #placeAlone(type: SharedType, key: string, seeker: Seeker): Located {
    const choice = this.#choiceOf(type);
    if (choice.at !== "some") return choice;
    const { placement, random, directory } = this.#parts;
    const turn = this.#turns.get(type) ?? 0;
    const direct = directors[type.terms.placement ?? placement];
    const claimsOf = (workerId: string): number => directory.countOf(workerId);
    const chosen = direct({ key, callerId: seeker.caller?.worker.id, turn, random, claimsOf }, choice.candidates);
    this.#turns.set(type, turn + 1);
    return this.#take(type, key, chosen, seeker);
  }

  #placeInUnit(unit: StockUnit, type: SharedType, key: string, seeker: Seeker): Located {
    const { units, workers } = this.#parts;
    const choice = this.#choiceOf(type);
    if (choice.at !== "some") return choice;
    const whole = choice.candidates.filter(({ peer }) => unit.clients.has(peer.id));
    const candidates = whole.length > 0 ? whole : choice.candidates;
    // Where no worker serves the whole unit, each type has its own places.
    const place = whole.length > 0 ? unit : { ...unit, name: `${unit.name}:${type.name}` };
    const known = units.placeOf(place, key);
    const stays = known === undefined ? undefined : workers.peerOf(known);
    const sticky = stays && candidates.find(({ peer }) => peer.worker.id === stays.worker.id);
    const request = { key, callerId: undefined, turn: 0, random: this.#parts.random, claimsOf: () => 0 };
    const chosen = sticky ?? directors.hash(request, candidates);
    if (chosen !== undefined && sticky === undefined) units.place(place, key, chosen.worker.id);
    return this.#take(type, key, chosen, seeker);
  }

  /** Enters the claim of a worker that knows of claims. */
  #take(type: SharedType, key: string, chosen: Candidate | undefined, { payer }: Seeker): Located {
    if (chosen === undefined) return nowhere(`No worker serves agent type ${type.name}.`);
    const { peer, worker } = chosen;
    if (!isAware(type, peer)) return { at: "found", peer, epoch: undefined };
    const { directory, counters, observer } = this.#parts;
    const party = (payer ?? peer).account.party;
    const outcome = directory.claim({ type, key, workerId: worker.id, party });
    if (outcome.at === "full") {
      counters.refusedClaims += 1;
      return { at: "nowhere", code: "overloaded", reason: outcome.reason };
    }
    const { claim } = outcome;
    if (observer !== undefined) observer(madeOccurrence(claim, peer));
    return { at: "found", peer, epoch: claim.epoch };
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
    const { peers, isDeaf, versionPolicy, workers } = this.#parts;
    const open = type.owners.flatMap((clientId) => peers.of(clientId) ?? []);
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
      byWorker.set(peer.worker.id, { worker: peer.worker, peer: current });
    }
    const all = [...byWorker.values()];
    if (versionPolicy === "any") return { at: "some", candidates: all };
    const newest = all.map(({ worker }) => worker.version).reduce((a, b) => (compareVersions(a, b) < 0 ? b : a));
    const candidates = all.filter(({ worker }) => compareVersions(worker.version, newest) === 0);
    return { at: "some", candidates };
  }
}

/** Whether the worker has registered the type as shared, and gets epochs. */
function isAware(type: SharedType, peer: Peer): boolean {
  return peer.traits.capabilities.has("claims") && !type.unaware.has(peer.id);
}

function nowhere(reason: string): Extract<Located, { readonly at: "nowhere" }> {
  return { at: "nowhere", code: "undeliverable", reason };
}

function noneHasLabels({ name, terms }: SharedType, count: number): string {
  const labels = Object.entries(terms.requires).map(([label, value]) => `${label}=${value}`);
  return `None of the ${count} workers of agent type ${name} has the labels that it requires: ${labels.join(", ")}.`;
}

function madeOccurrence({ type, key, workerId }: Claim, { id: clientId }: Peer) {
  return { at: "claim", what: "made", agentType: type, key, workerId, clientId } as const;
}
