interface Waiter<T> {
  readonly wants: (sighting: T) => boolean;
  readonly resolve: (sighting: T) => void;
}

/** What was seen, each thing handed out once, to the first wait that wants it, whether it came before or comes later. */
export class Sightings<T> {
  readonly #untaken: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();

  note(sighting: T): void {
    for (const waiter of this.#waiters) {
      if (!waiter.wants(sighting)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(sighting);
      return;
    }
    this.#untaken.push(sighting);
  }

  next(wants: (sighting: T) => boolean): Promise<T> {
    const index = this.#untaken.findIndex(wants);
    const [found] = index < 0 ? [] : this.#untaken.splice(index, 1);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiters.add({ wants, resolve }));
  }

  /** What nobody has waited for yet. */
  get rest(): readonly T[] {
    return this.#untaken;
  }
}
