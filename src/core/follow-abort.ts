/** Something to call when a signal aborts: a function, or an object with the method. */
type AbortFollower = (() => void) | { handleEvent(): void };

const followers = new WeakMap<AbortSignal, Followers>();

/**
 * Calls `follower` once when the signal aborts, unless `unfollowAbort` comes first. It does nothing for a signal that has aborted
 * before. All followers share one listener on the signal. Node warns of a leak from the eleventh listener on, and a listener costs
 * more than a follower.
 */
export function followAbort(signal: AbortSignal | undefined, follower: AbortFollower): void {
  if (signal === undefined) return;
  let list = followers.get(signal);
  if (list === undefined) {
    list = new Followers(signal);
    followers.set(signal, list);
  }
  list.add(follower);
}

/** Ends what `followAbort` began. The last follower takes the listener off the signal. */
export function unfollowAbort(signal: AbortSignal | undefined, follower: AbortFollower): void {
  if (signal !== undefined) followers.get(signal)?.delete(follower);
}

/** A signal that aborts when one of others does. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  /** Ends the joining: the others keep nothing of the signal. Call it when the work is done. */
  readonly letGo: () => void;
}

/**
 * Joins signals, of which some may live longer than the work. `AbortSignal.any` of Node.js 20 leaves some bytes at its sources with each
 * call. A source that lives as long as the process would grow as long.
 */
export function joinSignals(...sources: readonly (AbortSignal | undefined)[]): JoinedSignal {
  const joined = new AbortController();
  const followed: { readonly source: AbortSignal; readonly follow: () => void }[] = [];
  const letGo = (): void => {
    for (const { source, follow } of followed.splice(0)) unfollowAbort(source, follow);
  };
  for (const source of sources) {
    if (source === undefined) continue;
    const follow = (): void => {
      letGo();
      joined.abort(source.reason);
    };
    if (source.aborted) {
      follow();
      break;
    }
    followed.push({ source, follow });
    followAbort(source, follow);
  }
  return { signal: joined.signal, letGo };
}

const joinedUntilGarbage = new FinalizationRegistry<() => void>((letGo) => letGo());

/**
 * Joins signals for work whose end the package does not see. The others let go of the joined signal when it is garbage. As long as something listens
 * to it, it is not.
 */
export function joinUntilGarbage(...sources: readonly AbortSignal[]): AbortSignal {
  const { signal: own, letGo } = joinSignals(...sources);
  // Node.js keeps such a signal while something listens to it. What it leaves at its source goes with that.
  const signal = AbortSignal.any([own]);
  joinedUntilGarbage.register(signal, letGo);
  return signal;
}

/** The followers of one signal, in the order in which they were added. */
class Followers {
  readonly #signal: AbortSignal;
  readonly #all = new Set<AbortFollower>();
  readonly #onAbort = () => this.#tell();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(follower: AbortFollower): void {
    if (this.#all.size === 0) this.#signal.addEventListener("abort", this.#onAbort);
    this.#all.add(follower);
  }

  delete(follower: AbortFollower): void {
    if (!this.#all.delete(follower) || this.#all.size > 0) return;
    this.#signal.removeEventListener("abort", this.#onAbort);
  }

  /** Tells all, also when one of them throws. Then it throws the first error, as the signal would report it. */
  #tell(): void {
    const errors: unknown[] = [];
    for (const follower of this.#all) {
      try {
        if (typeof follower === "function") follower();
        else follower.handleEvent();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#all.clear();
    this.#signal.removeEventListener("abort", this.#onAbort);
    if (errors.length > 0) throw errors[0];
  }
}
