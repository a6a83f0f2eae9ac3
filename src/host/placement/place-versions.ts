import { hashOfText } from "../../core/internal.ts";

/** Keys share so many numbers. */
const slots = 4_096;

/**
 * Tells who remembers where agents are whether that may have changed. Keys share numbers by their hash, so that they take the same memory
 * however many they are. A number that rises without need costs one search.
 */
export class PlaceVersions {
  /** The generation is a part of each epoch, and rises too. */
  readonly #generation: () => number;
  /** Undefined until the first change. */
  #ofSlots: Float64Array | undefined;
  #ofAll = 0;
  /** Called when the workers of all agents may have changed. */
  onChangedAll: () => void = () => undefined;

  constructor(generation: () => number) {
    this.#generation = generation;
  }

  /** Returns which number the agents with this key have. */
  slotOf(key: string): number {
    return hashOfText(key) % slots;
  }

  /** While the sum is the same, the agents are where they were, under the same epochs. */
  versionOf(slot: number): number {
    return this.#generation() + this.#ofAll + (this.#ofSlots?.[slot] ?? 0);
  }

  /** An agent with this key has come or gone, or leaves from now on or no more. */
  changed(key: string): void {
    this.#ofSlots ??= new Float64Array(slots);
    const slot = this.slotOf(key);
    this.#ofSlots[slot] = (this.#ofSlots[slot] ?? 0) + 1;
  }

  /** Workers, or owners of shared types, have come or gone. */
  changedAll(): void {
    this.#ofAll += 1;
    this.onChangedAll();
  }
}
