import { tooMany } from "./web-problem.ts";

interface Held {
  requests: number;
  streams: number;
  runs: number;
}

type Kind = keyof Held;

const names: Readonly<Record<Kind, string>> = {
  requests: "requests at once",
  streams: "open streams",
  runs: "runs that have not ended",
};

/** Counts what each principal has under way, and bounds it. A principal that has nothing costs nothing. */
export class Places {
  readonly #most: Readonly<Held>;
  readonly #held = new Map<string, Held>();

  constructor(most: Readonly<Held>) {
    this.#most = most;
  }

  /** Takes a place, and returns the function that gives it back. Throws the problem that refuses it. */
  take(kind: Kind, principal: string): () => void {
    const held = this.#held.get(principal) ?? { requests: 0, streams: 0, runs: 0 };
    const most = this.#most[kind];
    if (held[kind] >= most) throw tooMany(`You have ${most} ${names[kind]}, and may have no more. Try again later.`);
    held[kind] += 1;
    this.#held.set(principal, held);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      held[kind] -= 1;
      if (held.requests + held.streams + held.runs === 0) this.#held.delete(principal);
    };
  }
}
