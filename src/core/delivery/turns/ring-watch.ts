import { type CallPath, type PassingCall, turnsOf, waitingTurns } from "../../scope/call-path.ts";

/** A call that waits for its turn at a sequential agent, as its runtime reports it. */
export interface WaitingCall {
  /** The turns that wait for the call. */
  readonly path: CallPath;
  /** The tokens of the running turns for which the call waits. */
  readonly behind: readonly string[];
  /** Whether one of these turns still runs. Undefined: another report comes when one has ended. */
  readonly stillRuns?: ((token: string) => boolean) | undefined;
}

/** A call that is reported, with its place in the order of first reports. */
interface Reported<Call> extends WaitingCall {
  readonly call: Call;
  readonly order: number;
}

/** `from` waits for the turn `token`, and this turn waits for `to`. */
interface Edge<Call> {
  readonly from: Reported<Call>;
  readonly token: string;
  readonly to: Reported<Call>;
}

/** Of a ring: the call `from` waits for the turn `token`, which waits for the call `to`. `path` is the path of `to`. */
export interface RingPart<Call> {
  readonly from: Call;
  readonly token: string;
  readonly to: Call;
  readonly path: CallPath;
}

export interface RingWatchOptions<Call> {
  /** Calls that are watched at once. Others are not part of any ring that is found. */
  readonly maxCalls: number;
  /**
   * Called for the call of a ring that was reported last; it is not watched any more. Ends the call with an error. `ring`: the agents
   * of the ring as text, beginning with the one whose turn made the call. `parts`: the ring itself, in this order.
   */
  readonly onRing: (call: Call, ring: string, parts: readonly RingPart<Call>[]) => void;
  /** Whether a call is over that a path names: see `waitingTurns`. Default: as the path itself says. */
  readonly isOver?: ((call: PassingCall) => boolean) | undefined;
  /** Runs the tasks of a search in order, perhaps later. Each takes little time. Default: at once. */
  readonly work?: (call: Call, tasks: Iterable<() => void>) => void;
}

/** Agents that the text of a ring names at most. */
const mostNames = 16;
/** Waiting calls that one task of a search looks at. */
const callsAtOnce = 100;

/**
 * Finds calls that wait for each other. A reported call waits for running turns, and each of these may wait for other calls: those with
 * the turn in their path. A way from a call back to itself is a ring, and nothing in it ever ends by itself. Costs nothing for
 * calls that are not reported. A search takes time in proportion to what is reported, and goes in tasks. What is reported meanwhile has a
 * search of its own, so that a ring is found from the call that closes it.
 *
 * A turn waits for a call only while all calls between them are pending. If it gives one of them up, it runs on, but still stands in the
 * paths of calls. The owner of the watch knows which calls are over. The watch asks it at each step of a search, and once more before a
 * call fails. A path never gains a turn that waits, so that no ring is missed.
 */
export class RingWatch<Call> {
  readonly #options: RingWatchOptions<Call>;
  readonly #calls = new Map<Call, Reported<Call>>();
  /** The reported calls for which a turn waits, by its token. */
  readonly #awaitedBy = new Map<string, Set<Reported<Call>>>();
  /** Calls with a search that has not ended. */
  readonly #searched = new Set<Call>();
  #reports = 0;

  constructor(options: RingWatchOptions<Call>) {
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  has(call: Call): boolean {
    return this.#calls.has(call);
  }

  /** Takes the first report of a call, or a later one with other turns before it. Returns false if there is no place for the call. */
  report(call: Call, { path, behind, stillRuns }: WaitingCall): boolean {
    const known = this.#calls.get(call);
    if (known === undefined && this.#calls.size >= this.#options.maxCalls) return false;
    const order = known?.order ?? ++this.#reports;
    if (known !== undefined) this.#remove(known);
    const reported = { call, path, behind, stillRuns, order };
    this.#calls.set(call, reported);
    for (const { token } of path) this.#add(token, reported);
    if (this.#searched.has(call)) return true;
    this.#searched.add(call);
    const { work = runAll } = this.#options;
    work(call, this.#searches(call));
    return true;
  }

  /** Forgets a call that does not wait any more; an unknown one is fine. */
  withdraw(call: Call): void {
    const known = this.#calls.get(call);
    if (known !== undefined) this.#remove(known);
  }

  /** Each way that a report adds goes through its call, so that each new ring has the call in it. */
  *#searches(call: Call): Iterable<() => void> {
    for (let reported = this.#calls.get(call); reported !== undefined; ) {
      const search = this.#ringThrough(reported);
      let step = search.next();
      while (!step.done && this.#isCurrent(reported)) {
        yield () => {
          step = search.next();
        };
      }
      const ring = step.done ? step.value : undefined;
      if (ring !== undefined) this.#resolve(ring);
      const latest = this.#calls.get(call);
      // Without a ring, the search is over unless the call was reported anew meanwhile.
      reported = ring === undefined && latest === reported ? undefined : latest;
    }
    this.#searched.delete(call);
  }

  #resolve(ring: readonly Edge<Call>[]): void {
    // What has ended while the search went on waits for nothing any more.
    const holds = ({ from, token, to }: Edge<Call>) =>
      this.#isCurrent(to) && waitsStill(from, token) && this.#isAwaitedBy(token, to);
    if (!ring.every(holds)) return;
    const intoLast = ring.reduce((last, edge, at) => (edge.to.order > (ring[last]?.to.order ?? 0) ? at : last), 0);
    const fromLast = [...ring.slice(intoLast), ...ring.slice(0, intoLast)];
    const last = ring[intoLast]?.to;
    if (last === undefined) return;
    this.#remove(last);
    const parts = fromLast.map(({ from, token, to }) => ({ from: from.call, token, to: to.call, path: to.path }));
    this.#options.onRing(last.call, textOf(fromLast), parts);
  }

  #isCurrent(reported: Reported<Call>): boolean {
    return this.#calls.get(reported.call) === reported;
  }

  /** Looks for the shortest way from a call back to itself. It goes through each turn once, and pauses now and then. */
  *#ringThrough(start: Reported<Call>): Generator<undefined, readonly Edge<Call>[] | undefined> {
    const seen = new Set<string>();
    const reachedBy = new Map<Reported<Call>, Edge<Call>>();
    const reached = [start];
    let looked = 0;
    for (const from of reached) {
      for (const token of from.behind) {
        looked += 1;
        if (looked % callsAtOnce === 0) yield;
        if (seen.has(token) || !waitsStill(from, token)) continue;
        seen.add(token);
        for (const to of this.#awaitedBy.get(token) ?? []) {
          if (to === start && this.#isAwaitedBy(token, to)) return wayTo({ from, token, to }, reachedBy);
          looked += 1;
          if (looked % callsAtOnce === 0) yield;
          if (to === start || reachedBy.has(to) || !this.#isAwaitedBy(token, to)) continue;
          reachedBy.set(to, { from, token, to });
          reached.push(to);
        }
      }
    }
    return undefined;
  }

  /** Whether the turn with this token, which stands in the path of the call, still waits for the call. */
  #isAwaitedBy(token: string, { path }: Reported<Call>): boolean {
    return waitingTurns(path, this.#options.isOver).some((turn) => turn.token === token);
  }

  #add(token: string, reported: Reported<Call>): void {
    const awaited = this.#awaitedBy.get(token);
    if (awaited === undefined) this.#awaitedBy.set(token, new Set([reported]));
    else awaited.add(reported);
  }

  #remove(reported: Reported<Call>): void {
    this.#calls.delete(reported.call);
    for (const { token } of reported.path) {
      const awaited = this.#awaitedBy.get(token);
      if (awaited?.delete(reported) === true && awaited.size === 0) this.#awaitedBy.delete(token);
    }
  }
}

function waitsStill({ stillRuns }: WaitingCall, token: string): boolean {
  return stillRuns === undefined || stillRuns(token);
}

function runAll(_call: unknown, tasks: Iterable<() => void>): void {
  for (const task of tasks) task();
}

/** Returns the edges up to this one, from the beginning of the search on. */
function wayTo<Call>(last: Edge<Call>, reachedBy: ReadonlyMap<Reported<Call>, Edge<Call>>): readonly Edge<Call>[] {
  const way = [last];
  for (let edge = reachedBy.get(last.from); edge !== undefined; edge = reachedBy.get(edge.from)) way.unshift(edge);
  return way;
}

/** Names the agents of a ring, also those whose turns stand between two of its calls. */
function textOf<Call>(ring: readonly Edge<Call>[]): string {
  const names: string[] = [];
  for (const { token, to } of ring) {
    const turns = turnsOf(to.path);
    const first = turns.findIndex((turn) => turn.token === token);
    for (const { type, key } of turns.slice(first)) names.push(`${type}/${key}`);
  }
  const shown = names.length <= mostNames ? names : [...names.slice(0, mostNames), "…"];
  return [...shown, names[0]].join(" → ");
}

/** Returns the text of the error for the call of a ring that fails. */
export function deadlockText(ring: string): string {
  const advice =
    "Publish an event in place of one of these calls, or ask an agent with another key. A sequential agent may mark a handler `interleaves`.";
  return `These calls wait for each other: ${ring}. None of them can end, so this one has failed. ${advice}`;
}
