import type { StateStore } from "../../../src/core/internal.ts";
import type { Plant } from "../world-parts.ts";

/** The store of one host, as a planted bug changes it. */
export function observed(store: StateStore, plant: Plant | undefined): StateStore {
  return plant?.aroundStore === undefined ? store : plant.aroundStore(store);
}
