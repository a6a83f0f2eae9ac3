/** A turn of a sequential agent that waits for a call. */
export interface CallingTurn {
  /** Names the turn: no other turn of the agent has this token. */
  readonly token: string;
  readonly type: string;
  readonly key: string;
}

/** The turns that wait for a call, one for the other, the outermost first. A sequential agent lets a call of its own turn in. */
export type CallPath = readonly CallingTurn[];

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

/** Returns the turns of all paths, each once. */
export function joinedPath(paths: Iterable<CallPath>): CallPath {
  const joined: CallingTurn[] = [];
  for (const path of paths) {
    for (const turn of path) if (!joined.some((known) => isSameTurn(known, turn))) joined.push(turn);
  }
  return joined;
}
