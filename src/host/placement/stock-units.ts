import { limits } from "../limits.ts";
import type { SharedType } from "../registry/shared-type.ts";

/** Shared types that are placed together, by key alone, because a stock worker serves them together. */
export interface StockUnit {
  readonly name: string;
  readonly types: readonly SharedType[];
  /** Client ids that serve all its types. None: each type is placed by itself. */
  readonly clients: ReadonlySet<string>;
}

export interface StockUnitsOptions {
  readonly sharedTypes: () => Iterable<SharedType>;
  /** No worker serves all types of a unit, so that an agent may live in two workers. */
  readonly onSplit: (unit: StockUnit) => void;
  /** Memory of the remembered places, in bytes. */
  readonly maxBytes: number;
}

// protocol.md §11.14
/**
 * The units of stock workers that share types. Such a worker gets an event once and makes agents by its own subscriptions. So all agents
 * of a unit that have one key must be in one worker. The owner of a key stays; the host forgets the least recently used first.
 */
export class StockUnits {
  readonly #options: StockUnitsOptions;
  /** Worker ids by unit and key, the latest used last. */
  readonly #places = new Map<string, string>();
  #bytes = 0;
  #units: ReadonlyMap<SharedType, StockUnit> | undefined;
  /** The units that no worker serves as a whole. */
  #splits: ReadonlySet<string> = new Set();

  constructor(options: StockUnitsOptions) {
    this.#options = options;
  }

  /** The owners of a shared type have changed. That concerns no unit as long as all of them know of shared types. */
  changed(type: SharedType): void {
    if (type.unaware.size > 0 || this.#units?.has(type) === true) this.#units = undefined;
  }

  /** Returns the unit of a type. Undefined: every owner of the type knows of shared types. */
  unitOf(type: SharedType): StockUnit | undefined {
    this.#units ??= this.#gather();
    return this.#units.get(type);
  }

  /** Returns the worker that has the agents of this key; undefined: none yet. */
  placeOf({ name }: StockUnit, key: string): string | undefined {
    const agents = `${name}/${key}`;
    const workerId = this.#places.get(agents);
    if (workerId === undefined) return undefined;
    this.#places.delete(agents);
    this.#places.set(agents, workerId);
    return workerId;
  }

  /** Long keys are not remembered: their hash finds the same worker while the workers are the same. */
  place({ name }: StockUnit, key: string, workerId: string): void {
    if (key.length > limits.placementKeyChars) return;
    const agents = `${name}/${key}`;
    if (!this.#places.has(agents)) this.#bytes += costOf(agents);
    this.#places.set(agents, workerId);
    for (const oldest of this.#places.keys()) {
      if (this.#places.size <= limits.placements && this.#bytes <= this.#options.maxBytes) return;
      this.#places.delete(oldest);
      this.#bytes -= costOf(oldest);
    }
  }

  /** Takes time in proportion to the registrations of shared types, but for a logarithm. */
  #gather(): ReadonlyMap<SharedType, StockUnit> {
    const groups = new Map<SharedType, Set<SharedType>>();
    /** One type of each client: its group is the client's. */
    const typeOf = new Map<string, SharedType>();
    for (const type of this.#options.sharedTypes()) {
      for (const clientId of type.unaware) {
        const own = groups.get(type) ?? new Set([type]);
        groups.set(type, own);
        const other = groups.get(typeOf.get(clientId) ?? type);
        typeOf.set(clientId, type);
        if (other === undefined || other === own) continue;
        const [small, large] = own.size < other.size ? [own, other] : [other, own];
        for (const one of small) {
          large.add(one);
          groups.set(one, large);
        }
      }
    }
    const units = new Map<SharedType, StockUnit>();
    const splits = new Set<string>();
    for (const group of new Set(groups.values())) {
      const unit = unitOf(group);
      if (unit === undefined) continue;
      for (const type of group) units.set(type, unit);
      if (unit.clients.size > 0) continue;
      const about = `${unit.types.length} ${unit.name}`;
      splits.add(about);
      if (!this.#splits.has(about)) this.#options.onSplit(unit);
    }
    this.#splits = splits;
    if (groups.size === 0) {
      this.#places.clear();
      this.#bytes = 0;
    }
    return units;
  }
}

function unitOf(group: ReadonlySet<SharedType>): StockUnit | undefined {
  const types = [...group].sort((a, b) => (a.name < b.name ? -1 : 1));
  const [first] = types;
  if (first === undefined) return undefined;
  const counts = new Map<string, number>();
  for (const type of types) for (const owner of type.owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const clients = new Set<string>();
  for (const [clientId, count] of counts) if (count === types.length) clients.add(clientId);
  return { name: first.name, types, clients };
}

/** Memory of a place: an entry of the map and the name. The id is the worker's. */
function costOf(agents: string): number {
  return 100 + 2 * agents.length;
}
