import type { AgentId } from "../agents/agent-id.ts";
import { TroupeError } from "../errors.ts";

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

// A missing turn would keep a call waiting, so that no path is cut.
/** Turns that a path has at most. */
const longestPath = 32;

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

/** Throws `loop-detected` for a call that would have more turns above it than a path may have. */
export function assertPathLength(path: CallPath, recipient: AgentId): void {
  if (path.length < longestPath) return;
  const chain = path.slice(-4).map(({ type, key }) => `${type}/${key}`);
  const text = `${path.length} turns wait for the call to ${recipient}, one for the other: … → ${chain.join(" → ")} → ${recipient}.`;
  throw new TroupeError("loop-detected", `${text} It was not sent. Do these agents call each other without end?`);
}

/** Returns the turns of all paths, each once. */
export function joinedPath(paths: Iterable<CallPath>): CallPath {
  const joined: CallingTurn[] = [];
  for (const path of paths) {
    for (const turn of path) if (!joined.some((known) => isSameTurn(known, turn))) joined.push(turn);
  }
  return joined;
}
