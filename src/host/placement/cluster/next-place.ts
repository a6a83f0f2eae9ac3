import { limits } from "../../limits.ts";
import { WorkerElsewhere } from "../../peers/worker-elsewhere.ts";
import type { SharedType } from "../../registry/shared-type.ts";
import type { Peer } from "../../sessions/peer.ts";
import type { Expected, Found, Nowhere } from "../located.ts";
import type { HeldMessage, MovingAgent } from "../moving-agent.ts";
import type { Placement } from "../placement.ts";
import type { Workers } from "../workers.ts";
import { anyWorker } from "./agent-waits.ts";
import type { ClusterDirectory } from "./cluster-directory.ts";
import type { ClusterPlaces } from "./cluster-places.ts";
import type { RouteTable } from "./route-table.ts";

/** The workers of other hosts, as their links tell them. */
export interface WorkersOfOthers {
  /** The newest channel of a worker. */
  workerOf(workerId: string): WorkerElsewhere | undefined;
  /** Whether the host of a worker has vanished. */
  isLost(workerId: string): boolean;
}

export interface NextPlaceParts {
  readonly places: ClusterPlaces;
  readonly others: WorkersOfOthers;
  readonly placement: Pick<Placement, "holderOf" | "choose">;
  readonly workers: Pick<Workers, "peersOf">;
  readonly sleepers: Pick<ClusterDirectory, "sleeperOf">;
  readonly routes: RouteTable;
  /** The channels of other hosts' workers that serve a type. */
  readonly workersOf: (type: SharedType) => readonly Peer[];
}

/** The next step for a message of an agent. */
export type Step =
  | Found
  | Expected
  | Nowhere
  | { readonly at: "ask"; readonly peer: WorkerElsewhere }
  | { readonly at: "claim"; readonly workerId: string }
  | { readonly at: "flush"; readonly route: WorkerElsewhere }
  /** `for`: the id of the worker, or `anyWorker`. */
  | { readonly at: "wait"; readonly for: string };

/** Finds the place to which the next message of this host for an agent goes, or what it must wait for. */
export class NextPlace {
  readonly #parts: NextPlaceParts;

  constructor(parts: NextPlaceParts) {
    this.#parts = parts;
  }

  /** The next step for a message of this host. */
  next(agent: MovingAgent, message: HeldMessage): Step {
    const { placement } = this.#parts;
    const { type, key } = agent;
    const holder = placement.holderOf(type, key);
    const route = this.#parts.routes.find(type.name, key);
    const isStale =
      message.seeking?.looksUp === true && agent.heldBy !== undefined && agent.heldBy !== route?.worker.id;
    if (route?.isOpen && holder === undefined && !isStale) return foundAt(route);
    if (route?.link.isOpen) return { at: "flush", route };
    if (holder !== undefined) return holder;
    agent.heldBy ??= route?.worker.id ?? this.#parts.sleepers.sleeperOf(type, key);
    if (agent.failures > limits.bouncesOfCall) {
      Object.assign(agent, { failures: 0, heldBy: undefined, tried: undefined });
      return { at: "nowhere", code: "undeliverable", reason: `No worker took ${type.name}/${key}. Try again later.` };
    }
    const known = agent.heldBy === undefined ? undefined : this.#atWorker(type, agent.heldBy);
    if (known !== undefined) return known;
    agent.heldBy = undefined;
    return this.#guess(agent, message);
  }

  /** Undefined: the worker is gone. */
  #atWorker(type: SharedType, workerId: string): Step | undefined {
    const { workers, others, places } = this.#parts;
    const here = workers.peersOf(workerId);
    if (here.some(({ id }) => type.isOwner(id))) return { at: "claim", workerId };
    const there = others.workerOf(workerId);
    // One that stops has given up its types, and keeps its agents until it is gone.
    const serves = places.serversOf(type.name).includes(workerId);
    if (there?.isOpen && serves) return { at: "ask", peer: there };
    return places.isGone(workerId) ? undefined : { at: "wait", for: workerId };
  }

  #guess({ type, key, above, tried }: MovingAgent, { caller, seeking }: HeldMessage): Step {
    const { placement, places } = this.#parts;
    const chosen = placement.choose(type, { key, caller, above, except: tried, isHere: seeking?.isForWorkerHere });
    if ("at" in chosen) {
      const isServed =
        chosen.at === "nowhere" && chosen.code === "undeliverable" && places.serversOf(type.name).length > 0;
      return isServed && this.#parts.workersOf(type).length === 0 ? { at: "wait", for: anyWorker } : chosen;
    }
    const { peer } = chosen;
    return isElsewhere(peer) ? { at: "ask", peer } : { at: "claim", workerId: peer.worker.id };
  }
}

export function isElsewhere(peer: Peer): peer is WorkerElsewhere {
  return peer instanceof WorkerElsewhere;
}

export function foundAt(peer: WorkerElsewhere): Found {
  return { at: "found", peer, epoch: undefined };
}
