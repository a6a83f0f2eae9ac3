import { FairShare } from "../../../transport/internal.ts";
import { limits } from "../../limits.ts";
import type { ClusterView } from "../cluster-view.ts";

export interface LookUpsParts {
  readonly cluster: Pick<ClusterView, "lookUp">;
  /** The cluster has answered. False: it knows no worker that serves the type. */
  readonly onKnown: (agentType: string, isServed: boolean) => void;
}

/** Agent types whose place the cluster is asked for. The callers of one address have two thirds of the places. */
export class LookUps {
  readonly #parts: LookUpsParts;
  readonly #asked = new Set<string>();
  readonly #share = new FairShare(limits.lookUps);

  constructor(parts: LookUpsParts) {
    this.#parts = parts;
  }

  has(agentType: string): boolean {
    return this.#asked.has(agentType);
  }

  /** Asks for a type, unless that is under way. `party`: the address of the caller. False: the cluster is asked for too many types. */
  begin(agentType: string, party: string): boolean {
    if (this.#asked.has(agentType)) return true;
    if (!this.#share.mayAdd(party)) return false;
    const { cluster, onKnown } = this.#parts;
    this.#asked.add(agentType);
    this.#share.add(party);
    void cluster.lookUp(agentType).then((workerId) => {
      this.#asked.delete(agentType);
      this.#share.remove(party);
      onKnown(agentType, workerId !== undefined);
    });
    return true;
  }
}
