import { whyInvalidAgentType, whyTooLong } from "../registry/name-checks.ts";
import type { ClusterView, TypeApplicant, TypeGrant } from "./cluster-view.ts";

export interface TypeClaimsParts {
  readonly cluster: Pick<ClusterView, "claimType" | "releaseType">;
  /** Whether a client of this host serves the type. */
  readonly isServed: (agentType: string) => boolean;
  /** A worker of another host serves the type: the client of this host loses it. */
  readonly onRefused: (applicant: TypeApplicant) => void;
}

/** The agent types that the cluster has granted this host. It asks for each before a client of this host registers it. */
export class TypeClaims {
  readonly #parts: TypeClaimsParts;
  readonly #granted = new Set<string>();

  constructor(parts: TypeClaimsParts) {
    this.#parts = parts;
  }

  /** Undefined: this host has the type already, or no host takes a type of this name. */
  claim(applicant: TypeApplicant): Promise<TypeGrant> | undefined {
    const { agentType } = applicant;
    if (this.#granted.has(agentType)) return undefined;
    if (whyInvalidAgentType(agentType) !== undefined || whyTooLong(agentType) !== undefined) return undefined;
    return this.#claim(applicant);
  }

  /** A client has become the first of this host to serve a type. One that comes back has got its types again without asking. */
  typeOwned(applicant: TypeApplicant): void {
    void this.claim(applicant)?.then((grant) => {
      if (grant.at !== "granted") this.#parts.onRefused(applicant);
      // Its client has left while the cluster was asked.
      else if (!this.#parts.isServed(applicant.agentType)) this.typeGone(applicant.agentType);
    });
  }

  /** No client of this host serves the type. */
  typeGone(agentType: string): void {
    if (this.#granted.delete(agentType)) this.#parts.cluster.releaseType(agentType);
  }

  async #claim(applicant: TypeApplicant): Promise<TypeGrant> {
    const grant = await this.#parts.cluster.claimType(applicant);
    if (grant.at === "granted") this.#granted.add(applicant.agentType);
    return grant;
  }
}
