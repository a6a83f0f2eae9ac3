import { type AgentPlacement, hashOfText } from "../../core/internal.ts";
import type { WorkerIdentity, WorkerLoad } from "../../protocol/internal.ts";
import type { Peer } from "../sessions/peer.ts";

/** A worker that may get an agent. */
export interface Candidate {
  readonly worker: WorkerIdentity;
  readonly peer: Peer;
  /** The hash of its name: one event may place thousands of agents. */
  readonly nameHash: number;
}

export interface PlacementRequest {
  readonly key: string;
  /** The worker whose message it is; undefined: no worker's. */
  readonly callerId: string | undefined;
  /** How many agents of the type were placed before; 0 where the strategy does not ask for it. */
  readonly turn: number;
  readonly random: () => number;
  readonly loadOf: (peer: Peer) => WorkerLoad;
}

/** Chooses one of at least one candidates. */
export type Director = (request: PlacementRequest, candidates: readonly Candidate[]) => Candidate | undefined;

/** Calls without an answer count more than agents that may be idle. */
const claimsPerCall = 4;

/** Rendezvous: the same worker gets the same key while it is there, and no other key moves when a worker comes or goes. */
const byHash: Director = ({ key }, candidates) => {
  const keyHash = hashOfText(key);
  let best: Candidate | undefined;
  let bestScore = -1;
  for (const candidate of candidates) {
    const score = mixed(keyHash, candidate.nameHash);
    if (score > bestScore || (score === bestScore && best !== undefined && candidate.worker.name < best.worker.name)) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
};

const byLoad: Director = ({ random, loadOf }, candidates) => {
  const first = Math.floor(random() * candidates.length);
  const other = Math.floor(random() * (candidates.length - 1));
  const one = candidates[first];
  const two = candidates[other >= first ? other + 1 : other];
  const weightOf = ({ peer }: Candidate): number => {
    const { agents, calls } = loadOf(peer);
    return agents + claimsPerCall * calls;
  };
  return one === undefined || two === undefined || weightOf(one) <= weightOf(two) ? one : two;
};

const inTurn: Director = ({ turn }, candidates) => candidates[turn % candidates.length];

const nearCaller: Director = (request, candidates) =>
  candidates.find(({ worker }) => worker.id === request.callerId) ?? byHash(request, candidates);

/** The strategies by their names. */
export const directors: { readonly [Name in AgentPlacement]: Director } = {
  hash: byHash,
  "least-loaded": byLoad,
  "round-robin": inTurn,
  "prefer-local": nearCaller,
};

/** Compares two versions by their parts between dots: numbers as numbers. Negative: `a` is older. No version is the oldest. */
export function compareVersions(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  const [left, right] = [a.split("."), b.split(".")];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const order = compareParts(left[at] ?? "", right[at] ?? "");
    if (order !== 0) return order;
  }
  return 0;
}

function compareParts(a: string, b: string): number {
  const areNumbers = /^\d{1,15}$/.test(a) && /^\d{1,15}$/.test(b);
  if (areNumbers) return Number(a) - Number(b);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Mixes two hashes so that each bit of both counts. */
function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f);
  return (hash ^ (hash >>> 15)) >>> 0;
}
