/** Types that are looked at for space at once. */
const looksAtOnce = 16;

/** The agent types whose mailboxes may come into memory, if there is space. A thousand may have none: what it costs to ask has a bound. */
export class OpenTypes {
  readonly #hasRoom: (agentType: string) => boolean;
  readonly #types = new Set<string>();
  /** One that had space when it was last looked at, or that has come since then. */
  #roomy: string | undefined;

  constructor(hasRoom: (agentType: string) => boolean) {
    this.#hasRoom = hasRoom;
  }

  get size(): number {
    return this.#types.size;
  }

  has(agentType: string): boolean {
    return this.#types.has(agentType);
  }

  add(agentType: string): void {
    this.#types.add(agentType);
    if (this.#roomy === undefined || !this.#isRoomy(this.#roomy)) this.#roomy = agentType;
  }

  delete(agentType: string): void {
    this.#types.delete(agentType);
  }

  clear(): void {
    this.#types.clear();
    this.#roomy = undefined;
  }

  /** Whether one of them has space. It looks at some of them, and the next time at others first. */
  hasRoom(mostLooks: number = looksAtOnce): boolean {
    if (this.#roomy !== undefined && this.#isRoomy(this.#roomy)) return true;
    let looks = Math.min(mostLooks, this.#types.size);
    for (const type of this.#types) {
      if (looks === 0) break;
      looks -= 1;
      this.#roomy = type;
      if (this.#hasRoom(type)) return true;
      // Those that were not looked at come first the next time.
      this.#types.delete(type);
      this.#types.add(type);
    }
    this.#roomy = undefined;
    return false;
  }

  #isRoomy(type: string): boolean {
    return this.#types.has(type) && this.#hasRoom(type);
  }
}
