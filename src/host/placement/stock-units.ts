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
  readonly #splits = new Set<string>();

  constructor(options: StockUnitsOptions) {
    this.#options = options;
  }

  /** The owners of shared types have changed. */
  changed(): void {
    this.#units = undefined;
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

  #gather(): ReadonlyMap<SharedType, StockUnit> {
    const groups = new Map<SharedType, Set<SharedType>>();
    const byClient = new Map<string, Set<SharedType>>();
    for (const type of this.#options.sharedTypes()) {
      for (const clientId of type.unaware) {
        const group = groups.get(type) ?? new Set([type]);
        groups.set(type, group);
        const other = byClient.get(clientId) ?? group;
        byClient.set(clientId, other);
        if (other === group) continue;
        for (const one of group) {
          other.add(one);
          groups.set(one, other);
        }
        for (const [client, set] of byClient) if (set === group) byClient.set(client, other);
      }
    }
    const units = new Map<SharedType, StockUnit>();
    for (const group of new Set(groups.values())) {
      const types = [...group].sort((a, b) => (a.name < b.name ? -1 : 1));
      const [first] = types;
      if (first === undefined) continue;
      const clients = new Set(first.owners.filter((clientId) => types.every((type) => type.isOwner(clientId))));
      const unit: StockUnit = { name: first.name, types, clients };
      for (const type of types) units.set(type, unit);
      this.#noteSplit(unit);
    }
    if (groups.size === 0) {
      this.#places.clear();
      this.#bytes = 0;
      this.#splits.clear();
    }
    return units;
  }

  #noteSplit(unit: StockUnit): void {
    const name = unit.types.map((type) => type.name).join(",");
    if (unit.clients.size > 0) this.#splits.delete(name);
    else if (!this.#splits.has(name)) {
      this.#splits.add(name);
      this.#options.onSplit(unit);
    }
  }
}

/** Memory of a place: an entry of the map and the name. The id is the worker's. */
function costOf(agents: string): number {
  return 100 + 2 * agents.length;
}
