import type { WorkerElsewhere } from "../../peers/worker-elsewhere.ts";
import { ClaimTable } from "../claim-table.ts";

/** Bytes of keys that a route may have on average. */
const keyBytesPerRoute = 64;
/** In place of the number of a claim: the route was used since the hand passed it, or was not. */
const [used, unused] = [2, 1];
/** Routes that the hand passes at most before one is forgotten. */
const passedAtOnce = 100;

// protocol.md §12.8
/**
 * Where the messages of this host for agents of shared types go that workers of other hosts have. When it is full, a route is forgotten that
 * was not used for long; its next message finds the agent again. A million routes take some 90 MB.
 */
export class RouteTable {
  readonly #maxRoutes: number;
  readonly #table = new ClaimTable();
  /** The channels that routes go to, by their names in the table. */
  readonly #channels = new Map<string, WorkerElsewhere>();
  #hand = 0;

  constructor(maxRoutes: number) {
    this.#maxRoutes = maxRoutes;
  }

  get size(): number {
    return this.#table.size;
  }

  /** Finds the channel of an agent's route, which may have ended. */
  find(type: string, key: string): WorkerElsewhere | undefined {
    const entry = this.#table.find(type, key);
    if (entry < 0) return undefined;
    this.#table.renumber(entry, used);
    return this.#channels.get(this.#table.workerOf(entry));
  }

  set(type: string, key: string, channel: WorkerElsewhere): void {
    this.delete(type, key);
    if (this.#maxRoutes === 0) return;
    const isFull = (): boolean =>
      this.#table.size >= this.#maxRoutes || this.#table.keyBytes > this.#maxRoutes * keyBytesPerRoute;
    while (this.#table.size > 0 && isFull()) this.#forgetOne();
    const name = nameOf(channel);
    this.#channels.set(name, channel);
    this.#table.add({ type, key, workerId: name, number: used, party: "" });
  }

  delete(type: string, key: string): void {
    const entry = this.#table.find(type, key);
    if (entry >= 0) this.#delete(entry);
  }

  /** How many routes go to a channel. */
  countOf(channel: WorkerElsewhere): number {
    return this.#table.countOf(nameOf(channel));
  }

  /** Forgets the routes to a channel. Returns the steps. */
  *deletionsOf(channel: WorkerElsewhere): Iterable<() => void> {
    const name = nameOf(channel);
    for (let entry = this.#table.firstOf(name); entry >= 0; entry = this.#table.firstOf(name)) {
      const next = entry;
      yield () => this.#delete(next);
    }
  }

  #forgetOne(): void {
    for (let passed = 0; ; passed += 1) {
      let entry = this.#table.nextUsed(this.#hand);
      if (entry < 0) entry = this.#table.nextUsed(0);
      this.#hand = entry + 1;
      if (passed >= passedAtOnce || this.#table.numberOf(entry) === unused) return this.#delete(entry);
      this.#table.renumber(entry, unused);
    }
  }

  #delete(entry: number): void {
    const name = this.#table.workerOf(entry);
    this.#table.delete(entry);
    if (this.#table.countOf(name) === 0) this.#channels.delete(name);
  }
}

/** Slots are never used again by their host, nor ids of hosts. */
function nameOf({ link, slot }: WorkerElsewhere): string {
  return `${link.hostId} ${slot}`;
}
