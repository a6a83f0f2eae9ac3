import type { Agent } from "../../agents/agent.ts";

/** The live agents of one type by key. A `Map` is one. */
export interface LiveTable extends Iterable<[key: string, agent: Agent]> {
  readonly size: number;
  get(key: string): Agent | undefined;
  has(key: string): boolean;
  set(key: string, agent: Agent): unknown;
  delete(key: string): boolean;
  clear(): void;
}

/** The end of the list: no slot. */
const none = -1;
const firstRoom = 16;
/** Agents at which `oldest` looks at most. */
const mostLookedAt = 64;

/**
 * The live agents of one type. Those that are not in use are listed in the order of their last use. Typed arrays hold the list. An
 * agent costs 28 bytes here beyond its entry in a `Map`. A move to the end of the list reads no object of its neighbours.
 */
export class LiveAgents implements LiveTable {
  readonly #now: () => number;
  readonly #slots = new Map<string, number>();
  readonly #agents: (Agent | undefined)[] = [];
  #older = new Int32Array(firstRoom);
  #newer = new Int32Array(firstRoom);
  /** The time of the last use. It lies in the future for an agent that is kept active. */
  #used = new Float64Array(firstRoom);
  /** The number of uses that have not ended. */
  #held = new Uint32Array(firstRoom);
  /** The first free slot; the next ones follow in `#newer`. */
  #free = none;
  #oldest = none;
  #newest = none;
  /** Slots of agents that are on their way out. Each of them is held. */
  readonly #leaving = new Set<number>();

  /** `now` returns the time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The number of agents that are not on their way out. */
  get stayingCount(): number {
    return this.#slots.size - this.#leaving.size;
  }

  /** Returns the slot of an agent, or -1. */
  slotOf(key: string): number {
    return this.#slots.get(key) ?? none;
  }

  agentAt(slot: number): Agent | undefined {
    return this.#agents[slot];
  }

  keyAt(slot: number): string {
    return this.#agents[slot]?.id.key ?? "";
  }

  usedMs(slot: number): number {
    return this.#used[slot] ?? 0;
  }

  isHeld(slot: number): boolean {
    return (this.#held[slot] ?? 0) > 0;
  }

  isLeaving(slot: number): boolean {
    return this.#leaving.has(slot);
  }

  get(key: string): Agent | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#agents[slot];
  }

  has(key: string): boolean {
    return this.#slots.has(key);
  }

  /** Adds an agent as the newest, or puts another one under its key. Returns its slot. */
  set(key: string, agent: Agent): number {
    this.delete(key);
    const slot = this.#takeSlot();
    this.#slots.set(key, slot);
    this.#agents[slot] = agent;
    this.#used[slot] = this.#now();
    this.#held[slot] = 0;
    this.#append(slot);
    return slot;
  }

  delete(key: string): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#slots.delete(key);
    this.#leaving.delete(slot);
    if (!this.isHeld(slot)) this.#unlink(slot);
    this.#agents[slot] = undefined;
    this.#newer[slot] = this.#free;
    this.#free = slot;
    return true;
  }

  clear(): void {
    for (const key of [...this.#slots.keys()]) this.delete(key);
  }

  /** A use begins: the agent is in no list until the last one ends. */
  hold(slot: number): void {
    const held = this.#held[slot] ?? 0;
    if (held === 0) this.#unlink(slot);
    this.#held[slot] = held + 1;
    this.#use(slot);
  }

  /** A use ends. Returns whether it was the last one: the agent is the newest then. */
  release(slot: number): boolean {
    const held = (this.#held[slot] ?? 1) - 1;
    this.#held[slot] = held;
    this.#use(slot);
    if (held === 0) this.#append(slot);
    return held === 0;
  }

  /** The agent is on its way out: from now on no limit counts it, or looks at it. Does nothing for slot -1. */
  leave(slot: number): void {
    if (slot < 0 || this.#leaving.has(slot)) return;
    this.#leaving.add(slot);
    this.hold(slot);
  }

  /** The agent stays. Returns false if it was not on its way out. */
  stay(slot: number): boolean {
    if (!this.#leaving.delete(slot)) return false;
    this.release(slot);
    return true;
  }

  /** The agent counts as used now. */
  touch(slot: number): void {
    this.#use(slot);
    this.putBehind(slot);
  }

  /** The agent counts as used at this time, if that is later than its last use. */
  keep(slot: number, untilMs: number): void {
    if (untilMs > this.usedMs(slot)) this.#used[slot] = untilMs;
  }

  /** Makes the agent the newest in the list, and leaves the time of its last use. */
  putBehind(slot: number): void {
    if (slot === this.#newest || this.isHeld(slot)) return;
    this.#unlink(slot);
    this.#append(slot);
  }

  /** Returns the slot of the agent that is unused for the longest time, or -1. */
  first(): number {
    return this.#oldest;
  }

  /** Returns the longest unused that `mayGo` lets go, or -1. It looks at 64 agents at most. The others there count as used now. */
  oldest(mayGo: (slot: number) => boolean): number {
    const last = this.#newest;
    for (let looked = 0; this.#oldest !== none && looked < mostLookedAt; looked += 1) {
      const slot = this.#oldest;
      if (mayGo(slot)) return slot;
      this.touch(slot);
      if (slot === last) break;
    }
    return none;
  }

  /** The order is that of the activations. */
  *[Symbol.iterator](): IterableIterator<[key: string, agent: Agent]> {
    for (const [key, slot] of this.#slots) {
      const agent = this.#agents[slot];
      if (agent !== undefined) yield [key, agent];
    }
  }

  #use(slot: number): void {
    const now = this.#now();
    if (now > this.usedMs(slot)) this.#used[slot] = now;
  }

  #takeSlot(): number {
    const slot = this.#free;
    if (slot !== none) {
      this.#free = this.#newer[slot] ?? none;
      return slot;
    }
    const next = this.#agents.length;
    if (next === this.#newer.length) this.#grow();
    return next;
  }

  #grow(): void {
    const room = this.#newer.length * 2;
    const older = new Int32Array(room);
    const newer = new Int32Array(room);
    const used = new Float64Array(room);
    const held = new Uint32Array(room);
    older.set(this.#older);
    newer.set(this.#newer);
    used.set(this.#used);
    held.set(this.#held);
    this.#older = older;
    this.#newer = newer;
    this.#used = used;
    this.#held = held;
  }

  #append(slot: number): void {
    this.#older[slot] = this.#newest;
    this.#newer[slot] = none;
    if (this.#newest === none) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const older = this.#older[slot] ?? none;
    const newer = this.#newer[slot] ?? none;
    if (older === none) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === none) this.#newest = older;
    else this.#older[newer] = older;
  }
}
