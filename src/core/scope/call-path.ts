import type { TurnKind } from "../agents/turns.ts";
import { hashOfText } from "../collections/text-hash.ts";

/** A turn of a sequential agent that waits for a call. */
export interface CallingTurn {
  /** Names the turn: no other turn of the agent has this token. */
  readonly token: string;
  readonly type: string;
  readonly key: string;
  /** Whether the caller of the turn's message still waits for its answer. Undefined: this runtime does not know. */
  readonly isAwaited?: boolean | undefined;
  /** Calls between this turn and the next, whose handlers interleave; the outermost first. */
  readonly via?: readonly PassingCall[] | undefined;
}

/** A call whose handler has no turn, and waits for another call. Its token and `isAwaited` are as those of a turn. */
export type PassingCall = Pick<CallingTurn, "token" | "isAwaited">;

/** The turns that wait for a call, one for the other, the outermost first. A sequential agent lets a call of its own turn in. */
export type CallPath = readonly CallingTurn[];

/** A turn of this runtime, as it stands in the paths of the calls that it makes. */
export interface OwnTurn extends CallingTurn {
  readonly kind: TurnKind;
}

export const noPath: CallPath = Object.freeze([]);

/** The part of a path that turns of several chains may take. The rest is for the turns behind them. */
const joinedShare = 0.75;

/** Characters of a type or a key that a path has in full, and of one that it cuts. */
const longestName = 64;
const cutLength = 48;

/** Returns a type or key as paths have it: a long one is cut, with a hash of all of it. */
export function nameInPath(name: string): string {
  if (name.length <= longestName) return name;
  return `${name.slice(0, cutLength)}~${hashOfText(name).toString(16).padStart(8, "0")}`;
}

export function isSameTurn(one: CallingTurn, other: CallingTurn): boolean {
  return one.token === other.token && one.type === other.type && one.key === other.key;
}

/**
 * Returns the turns of all paths, each once. If these are not one path, the first turn stands once more at the end: see `waitingTurns`. Turns of
 * different chains that would leave too little of a path with `mostTurns` are not joined: the longest of their paths stands for all. So no call
 * counts as part of a loop because many chains have come to one agent. It looks at no more paths than it needs.
 */
export function joinedPath(paths: Iterable<CallPath>, mostTurns = Number.POSITIVE_INFINITY): CallPath {
  const joined = new Map<string, CallingTurn>();
  const looked: CallPath[] = [];
  let longest = noPath;
  for (const path of paths) {
    if (path.length > longest.length) longest = path;
    looked.push(path);
    for (const turn of path) joinTurn(joined, turn);
    if (joined.size > mostTurns * joinedShare && turnsOf(longest).length < joined.size) return longest;
  }
  const all = [...joined.values()];
  const [first] = all;
  const isOnePath = all.length === 1 || looked.every((path) => path.length === all.length && endOfJoined(path) === 0);
  return first === undefined || isOnePath ? all : [...all, withVia(first, undefined)];
}

function joinTurn(joined: Map<string, CallingTurn>, turn: CallingTurn): void {
  const name = `${turn.token} ${turn.type}/${turn.key}`;
  const known = joined.get(name);
  if (known === undefined) joined.set(name, turn);
  else if (!isSameVia(known, turn)) joined.set(name, withVia(known, undefined));
}

/** Returns the turns of a path, each once. */
export function turnsOf(path: CallPath): CallPath {
  const end = endOfJoined(path);
  return end > 0 ? path.toSpliced(end, 1) : path;
}

/** Returns the path of a call that the handler of another call makes, if this handler has no turn. It names the latest 8 such calls in a row. */
export function pathVia(path: CallPath, call: PassingCall): CallPath {
  const last = path.at(-1);
  return last === undefined ? path : [...path.slice(0, -1), withVia(last, [...(last.via ?? []), call].slice(-mostVia))];
}

/** Returns a path with the turns alone. */
export function withoutVia(path: CallPath): CallPath {
  return path.map((turn) => (turn.via === undefined ? turn : withVia(turn, undefined)));
}

/**
 * Returns the turns of a path that still wait for its call. A turn waits only while each call between is pending. These are the calls of the
 * turns after it, and those that stand at turns because their handlers interleave. A call is over when it has its outcome, or its caller has given it
 * up. So the waiting turns begin behind the last call that is over: with its own turn, if it has one.
 *
 * An agent that stands in the path twice has let the second turn in while the first one ran. The first turn of a persistent agent can't end before
 * the second one does. So it waits for the call of the second, even if it has given up the call to it.
 *
 * Turns up to one that stands there for the second time are those of several paths. No place tells to which of these a turn belongs, so that
 * they wait all or none.
 */
export function waitingTurns(path: CallPath, isOver: (call: PassingCall) => boolean = isOverHere): CallPath {
  const first = firstWaiting(path, isOver);
  return first === 0 ? path : withTurnsAround(path, first, isOver);
}

/** Returns the place behind the last call of a path that is over, without regard to turns that are nested. */
function firstWaiting(path: CallPath, isOver: (call: PassingCall) => boolean): number {
  const end = endOfJoined(path);
  for (let at = path.length - 1; at >= end; at -= 1) {
    const turn = path[at];
    if (turn === undefined) continue;
    if (turn.via?.some(isOver) === true) return at + 1;
    if (at > end && isOver(turn)) return at;
  }
  return 0;
}

/** Returns the path from a place on. Before it stand the turns in which these are nested, with the turns that wait for those. */
function withTurnsAround(path: CallPath, from: number, isOver: (call: PassingCall) => boolean): CallPath {
  const end = endOfJoined(path);
  let waiting = path.slice(from);
  for (let first = from; first > 0; ) {
    const isOfWaiting = ({ type, key }: CallingTurn) => waiting.some((turn) => turn.type === type && turn.key === key);
    const at = path.slice(0, first).findLastIndex(isOfWaiting);
    if (at < 0) return waiting;
    const around = withoutViaAtEnd(path.slice(0, Math.max(at, end) + 1));
    first = firstWaiting(around, isOver);
    waiting = [...around.slice(first), ...waiting];
  }
  return waiting;
}

/** Returns a path without the calls behind its last turn. */
function withoutViaAtEnd(path: CallPath): CallPath {
  return path.map((turn, at) => (at === path.length - 1 && turn.via !== undefined ? withVia(turn, undefined) : turn));
}

/** Calls without a turn that a path has between two of its turns, at most. Without an older one, a turn may seem to wait longer than it does. */
const mostVia = 8;

/** Returns the place at which the turns of several paths end; 0 for a path of one chain. */
function endOfJoined(path: CallPath): number {
  const [first] = path;
  return first === undefined ? 0 : path.findLastIndex((turn) => isSameTurn(turn, first));
}

/** Whether the runtime knows that a call is over. It knows of its own calls only. */
function isOverHere({ isAwaited }: PassingCall): boolean {
  return isAwaited === false;
}

/** Returns the turn with other calls behind it. It says as before whether its caller waits. */
function withVia(turn: CallingTurn, via: readonly PassingCall[] | undefined): CallingTurn {
  return new TurnWithCalls(turn instanceof TurnWithCalls ? turn.own : turn, via);
}

/** A turn with the calls behind it. It keeps the turn itself, and not the calls that stood behind it before. */
class TurnWithCalls implements CallingTurn {
  readonly token: string;
  readonly type: string;
  readonly key: string;
  readonly via: readonly PassingCall[] | undefined;
  readonly #own: CallingTurn;

  constructor(own: CallingTurn, via: readonly PassingCall[] | undefined) {
    this.token = own.token;
    this.type = own.type;
    this.key = own.key;
    this.via = via;
    this.#own = own;
  }

  get own(): CallingTurn {
    return this.#own;
  }

  get isAwaited(): boolean | undefined {
    return this.#own.isAwaited;
  }
}

function isSameVia({ via: one = [] }: CallingTurn, { via: other = [] }: CallingTurn): boolean {
  return one.length === other.length && one.every(({ token }, at) => token === other[at]?.token);
}
