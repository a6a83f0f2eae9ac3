import type { TurnKind } from "../agents/turns.ts";

/** A turn of a sequential agent that waits for a call. */
export interface CallingTurn {
  /** Names the turn: no other turn of the agent has this token. */
  readonly token: string;
  readonly type: string;
  readonly key: string;
}

/** The turns that wait for a call, one for the other, the outermost first. A sequential agent lets a call of its own turn in. */
export type CallPath = readonly CallingTurn[];

/** A turn of this runtime, as it stands in the paths of the calls that it makes. */
export interface OwnTurn extends CallingTurn {
  readonly kind: TurnKind;
  /** Whether the caller of the turn's message still waits for its answer. */
  readonly isAwaited: boolean;
}

export const noPath: CallPath = Object.freeze([]);

/** Characters of a type or a key that a path has in full, and of one that it cuts. */
const longestName = 64;
const cutLength = 48;

/** Returns a type or key as paths have it: a long one is cut, with a hash of all of it. */
export function nameInPath(name: string): string {
  if (name.length <= longestName) return name;
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return `${name.slice(0, cutLength)}~${(hash >>> 0).toString(16).padStart(8, "0")}`;
}

export function isSameTurn(one: CallingTurn, other: CallingTurn): boolean {
  return one.token === other.token && one.type === other.type && one.key === other.key;
}

/**
 * Returns the turns of all paths, each once. If they are not one chain, the first turn stands once more at the end: see `waitingTurns`.
 */
export function joinedPath(paths: readonly CallPath[]): CallPath {
  const joined: CallingTurn[] = [];
  for (const path of paths) {
    for (const turn of path) if (!joined.some((known) => isSameTurn(known, turn))) joined.push(turn);
  }
  const [first] = joined;
  const isChain = paths.some((path) => path.length === joined.length && joined.every(isAt(path)));
  return first === undefined || isChain ? joined : [...joined, first];
}

/** Returns the turns of a path, each once. */
export function turnsOf(path: CallPath): CallPath {
  const end = endOfJoined(path);
  return end > 0 ? path.toSpliced(end, 1) : path;
}

/**
 * Returns the turns of a path that still wait for its call. A turn waits for the call of the turn after it, and so on to the end. So no turn
 * waits that stands before one whose call is over: it has its outcome, or its caller has given it up. A turn that runs waits for its own calls
 * in any case. The turns up to one that stands there for the second time are those of several chains. No place of the path tells which of these
 * a turn belongs to, so that all of them or none of them wait.
 */
export function waitingTurns(path: CallPath, isOver: (turn: CallingTurn) => boolean = isOverHere): CallPath {
  const chainFrom = endOfJoined(path) + 1;
  for (let at = path.length - 1; at > 0 && at >= chainFrom; at -= 1) {
    const turn = path[at];
    if (turn !== undefined && isOver(turn)) return path.slice(at);
  }
  return path;
}

/** Returns the place at which the turns of several chains end; 0 for a path of one chain. */
function endOfJoined(path: CallPath): number {
  const [first] = path;
  return first === undefined ? 0 : path.findLastIndex((turn) => isSameTurn(turn, first));
}

/** Whether the runtime knows that the call of a turn is over. It knows of its own turns only. */
function isOverHere(turn: CallingTurn): boolean {
  return "isAwaited" in turn && turn.isAwaited === false;
}

function isAt(path: CallPath): (turn: CallingTurn, at: number) => boolean {
  return (turn, at) => {
    const other = path[at];
    return other !== undefined && isSameTurn(turn, other);
  };
}
