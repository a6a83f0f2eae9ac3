import type { Clock } from "../../core/internal.ts";
import type { Quotas } from "../../security/internal.ts";
import { limits } from "../limits.ts";
import type { Principal } from "../principal.ts";
import { Usage } from "./usage.ts";

/** Memory of a usage beside its name, rounded up. */
const usageBytes = 600;

/**
 * The usage of each principal and of each peer address. What uses the host stays, and other bounds bound it. Of what does not, the table keeps
 * what it would lose something with: buckets that are not full, and who is known. Each has a bound of its own, so that a flood of names drops
 * neither the ones that are used nor those that are known.
 */
export class UsageTable {
  readonly #quotas: Quotas;
  readonly #clock: Clock;
  readonly #usages = new Map<string, Usage>();
  /** Those without a use whose buckets fill, first those that have spent nothing for longest; and those that are known. */
  readonly #filling = new BoundedUsages();
  readonly #known = new BoundedUsages();

  constructor(quotas: Quotas, clock: Clock) {
    this.#quotas = quotas;
    this.#clock = clock;
  }

  /** Usages in the table. */
  get size(): number {
    return this.#usages.size;
  }

  /** Bytes of those that are not used. */
  get keptBytes(): number {
    return this.#filling.bytes + this.#known.bytes;
  }

  /** Whether there is space for another one to be known. */
  get remembers(): boolean {
    return this.#known.bytes < limits.keptUsageBytes;
  }

  ofPrincipal(principal: Principal): Usage {
    const key = `p${principal.name}`;
    const limitsOf = () => this.#quotas.ofPrincipal(principal);
    const known = this.#usages.get(key);
    // Its roles may be others than before.
    known?.setLimits(limitsOf);
    return known ?? this.#add(new Usage(key, "This principal", limitsOf));
  }

  ofAddress(party: string): Usage {
    const key = `a${party}`;
    return this.#usages.get(key) ?? this.#add(new Usage(key, "This address", () => this.#quotas.ofAddress(party)));
  }

  /** Returns the usage that the table has under the name of this one. If it has forgotten this one, it takes it back. */
  current(usage: Usage): Usage {
    return this.#usages.get(usage.key) ?? this.#add(usage);
  }

  /** Takes note that a usage may have no use any more. */
  settle(usage: Usage): void {
    if (this.#usages.get(usage.key) !== usage) return;
    const nowMs = this.#clock.now();
    if (!usage.isUnused) {
      this.#filling.delete(usage);
      this.#known.delete(usage);
      return;
    }
    this.#sweep(nowMs);
    if (usage.isForgettable(nowMs)) this.#forget(usage);
    else if (usage.isKnown(nowMs)) this.#known.add(usage);
    else {
      // One that has spent again is not among the oldest any more.
      this.#filling.delete(usage);
      this.#filling.add(usage);
      // Beyond the bound the oldest go: their buckets have filled most.
      for (const oldest of this.#filling.oldestFirst()) {
        if (this.#filling.bytes <= limits.keptUsageBytes) break;
        this.#forget(oldest);
      }
    }
  }

  #add(usage: Usage): Usage {
    this.#usages.set(usage.key, usage);
    return usage;
  }

  /** Looks at the oldest two of each kind. */
  #sweep(nowMs: number): void {
    for (const kept of [this.#filling, this.#known]) {
      let left = 2;
      for (const usage of kept.oldestFirst()) {
        if (left === 0) break;
        left -= 1;
        if (usage.isForgettable(nowMs)) this.#forget(usage);
      }
    }
  }

  #forget(usage: Usage): void {
    this.#filling.delete(usage);
    this.#known.delete(usage);
    this.#usages.delete(usage.key);
  }
}

class BoundedUsages {
  readonly #usages = new Set<Usage>();
  bytes = 0;

  add(usage: Usage): void {
    if (this.#usages.has(usage)) return;
    this.#usages.add(usage);
    this.bytes += costOf(usage);
  }

  delete(usage: Usage): void {
    if (this.#usages.delete(usage)) this.bytes -= costOf(usage);
  }

  oldestFirst(): Iterable<Usage> {
    return this.#usages;
  }
}

function costOf({ key }: Usage): number {
  return usageBytes + 2 * key.length;
}
