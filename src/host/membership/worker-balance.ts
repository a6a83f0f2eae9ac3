import type { Clock, Timer } from "../../core/internal.ts";
import type { Peer } from "../sessions/peer.ts";
import { mostAddresses } from "./host-addresses.ts";
import type { OpeningWorker } from "./joining.ts";

/** A host that takes workers, as another one sees it. */
export interface HostLoad {
  readonly hostId: string;
  readonly workerAddress: string;
  /** All workers that have joined it. */
  readonly workers: number;
}

export interface WorkerBalanceParts {
  readonly clock: Clock;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
  /** The id of this host, and all hosts that take workers, this one too. Undefined: this host does not serve now. */
  readonly hosts: () => { readonly own: string; readonly all: readonly HostLoad[] } | undefined;
  readonly joins: {
    readonly open: readonly { readonly channel: Peer; readonly worker: Pick<OpeningWorker, "kind"> }[];
    isLeaving(channel: Peer): boolean;
  };
  /** Whether the worker has not joined another host yet. */
  readonly isHere: (channel: Peer) => boolean;
  /** Whether the worker stops. */
  readonly isDraining: (workerId: string) => boolean;
  /** Agents and calls of a worker. */
  readonly loadOf: (channel: Peer) => number;
  /** Asks a worker to go to another host, the first one first. */
  readonly ask: (channel: Peer, addresses: readonly string[]) => void;
}

/** Milliseconds between two looks at the hosts, and between two workers that are asked. */
const lookMs = 1_000;
const paceMs = 200;
/** Milliseconds for which the same hosts must be there, and this one have too many workers. A host that restarts comes back meanwhile. */
const settleMs = 10_000;
/** Milliseconds for which a worker stays at least where it is. */
const stayMs = 30_000;
/** Workers that have been asked and are still here. */
const mostMoving = 4;
/** Milliseconds after which a worker that is still here counts as one that does not move, and those for which it is left alone. */
const patienceMs = 30_000;
const restMs = 600_000;

/**
 * Asks workers of this host to go to hosts with fewer. It begins when this host has more than 1.25 × the mean and one more, and ends at the mean.
 * So no worker moves to and fro. Stock workers count, and are never asked.
 */
export class WorkerBalance {
  readonly #parts: WorkerBalanceParts;
  /** When each channel was seen first. */
  readonly #sinceMs = new WeakMap<Peer, number>();
  /** Workers that were asked, with the host to which each goes. */
  readonly #moving = new Map<Peer, { readonly to: string; readonly askedMs: number }>();
  /** Workers that did not move, by id, with the time until which they are left alone. */
  readonly #resting = new Map<string, number>();
  #hosts = "";
  #unequalSinceMs: number | undefined;
  #isMoving = false;
  #timer: Timer | undefined;
  #asked = 0;

  constructor(parts: WorkerBalanceParts) {
    this.#parts = parts;
  }

  /** How many workers were asked to go to another host. */
  get asked(): number {
    return this.#asked;
  }

  start(): void {
    this.#timer ??= this.#parts.clock.setTimer(lookMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#moving.clear();
    this.#resting.clear();
  }

  #look(): void {
    this.#timer = this.#parts.clock.setTimer(this.#isMoving ? paceMs : lookMs, () => this.#look());
    const now = this.#parts.clock.now();
    for (const { channel } of this.#parts.joins.open) if (!this.#sinceMs.has(channel)) this.#sinceMs.set(channel, now);
    this.#settleMoves(now);
    const target = this.#targets(now);
    if (target === undefined || this.#moving.size >= mostMoving) return;
    const channel = this.#nextToMove(now);
    if (channel === undefined) return;
    this.#moving.set(channel, { to: target.hostId, askedMs: now });
    this.#asked += 1;
    this.#parts.ask(channel, target.addresses);
  }

  /** Forgets those that are gone. Those that do not move are left alone for a while. */
  #settleMoves(now: number): void {
    for (const [channel, { askedMs }] of this.#moving) {
      const isHere = channel.isOpen && this.#parts.isHere(channel);
      if (isHere && now - askedMs < patienceMs) continue;
      this.#moving.delete(channel);
      if (isHere) this.#resting.set(channel.worker.id, now + restMs);
    }
    for (const [workerId, untilMs] of this.#resting) if (untilMs <= now) this.#resting.delete(workerId);
  }

  /** The host to which one more worker goes, and the addresses of all others with the fewest workers first. Undefined: none moves now. */
  #targets(now: number): { readonly hostId: string; readonly addresses: readonly string[] } | undefined {
    const hosts = this.#parts.hosts();
    if (hosts === undefined) return this.#rest();
    const { own, all } = hosts;
    const ids = all
      .map(({ hostId }) => hostId)
      .sort()
      .join(" ");
    const hasChanged = ids !== this.#hosts;
    this.#hosts = ids;
    const loads = new Map(all.map(({ hostId, workers }) => [hostId, workers]));
    for (const { to } of this.#moving.values()) {
      loads.set(own, (loads.get(own) ?? 0) - 1);
      if (loads.has(to)) loads.set(to, (loads.get(to) ?? 0) + 1);
    }
    const loadHere = loads.get(own);
    if (all.length < 2 || loadHere === undefined) return this.#rest();
    const mean = [...loads.values()].reduce((sum, load) => sum + load, 0) / loads.size;
    if (loadHere <= (this.#isMoving ? Math.ceil(mean) : 1.25 * mean + 1)) return this.#rest();
    if (this.#unequalSinceMs === undefined || hasChanged) this.#unequalSinceMs = now;
    this.#isMoving = now - this.#unequalSinceMs >= settleMs;
    if (!this.#isMoving) return undefined;
    const others = all
      .filter(({ hostId }) => hostId !== own)
      .map((host) => ({ ...host, load: loads.get(host.hostId) ?? 0, dice: this.#parts.random() }))
      .sort((one, other) => one.load - other.load || one.dice - other.dice);
    const [first] = others;
    if (first === undefined) return undefined;
    const addresses = others.slice(0, mostAddresses).map(({ workerAddress }) => workerAddress);
    return { hostId: first.hostId, addresses };
  }

  #rest(): undefined {
    this.#unequalSinceMs = undefined;
    this.#isMoving = false;
  }

  /** The worker with the least to move. */
  #nextToMove(now: number): Peer | undefined {
    const { joins, loadOf, isDraining, isHere } = this.#parts;
    let least: { readonly channel: Peer; readonly load: number } | undefined;
    for (const { channel, worker } of joins.open) {
      if (worker.kind === "stock" || !channel.isOpen || !channel.traits.capabilities.has("lease")) continue;
      if (joins.isLeaving(channel) || this.#moving.has(channel) || this.#resting.has(channel.worker.id)) continue;
      if (now - (this.#sinceMs.get(channel) ?? now) < stayMs) continue;
      if (isDraining(channel.worker.id) || !isHere(channel)) continue;
      const load = loadOf(channel);
      if (least === undefined || load < least.load) least = { channel, load };
    }
    return least?.channel;
  }
}
