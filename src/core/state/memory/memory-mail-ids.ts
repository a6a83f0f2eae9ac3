import { storeLimits } from "../store-limits.ts";
import { mailIdName, sizeOfMailId } from "./memory-sizes.ts";

/** Forgotten names that stay in the lists, at least. */
const fewest = 1_024;

/** The ids of mail that the mailboxes of a store in memory know. Methods that change them return how many bytes they add. */
export class MemoryMailIds {
  readonly #known = new Set<string>();
  // Lists beside the set: to find the oldest of a set, its iterator passes over all that were deleted before.
  #names: string[] = [];
  /** When they came, by the clock that never goes back; the oldest first. */
  #times: number[] = [];
  /** The index of the oldest one. */
  #first = 0;

  has(mailbox: string, id: string): boolean {
    return this.#known.has(mailIdName(mailbox, id));
  }

  /** Adds an id. One that is there already takes no bytes. */
  add(mailbox: string, id: string, nowMs: number): number {
    const name = mailIdName(mailbox, id);
    if (this.#known.has(name)) return 0;
    this.#known.add(name);
    this.#names.push(name);
    this.#times.push(nowMs);
    return sizeOfMailId(name.length);
  }

  /** Forgets the ids that are too old, and the oldest of the others until they have freed so many bytes. */
  forget(nowMs: number, neededBytes = 0): number {
    const oldestMs = nowMs - storeLimits.mailIdMs;
    let added = 0;
    for (; this.#first < this.#names.length; this.#first += 1) {
      if ((this.#times[this.#first] ?? 0) > oldestMs && -added >= neededBytes) break;
      const name = this.#names[this.#first] ?? "";
      this.#names[this.#first] = "";
      this.#known.delete(name);
      added -= sizeOfMailId(name.length);
    }
    if (added < 0) this.#shorten();
    return added;
  }

  #shorten(): void {
    if (this.#first < fewest || 2 * this.#first < this.#names.length) return;
    this.#names = this.#names.slice(this.#first);
    this.#times = this.#times.slice(this.#first);
    this.#first = 0;
  }
}
