import type { Clock, Timer } from "../../../core/internal.ts";
import { limits } from "../../limits.ts";
import { whyInvalidAgentType, whyTooLong } from "../../registry/name-checks.ts";
import type { ClusterView, TypeApplicant, TypeGrant } from "../cluster-view.ts";

export interface TypeClaimsParts {
  readonly clock: Clock;
  readonly cluster: Pick<ClusterView, "claimType" | "releaseType">;
  /** Whether a client of this host serves the type; of a shared one, whether this client does. */
  readonly isServed: (applicant: TypeApplicant) => boolean;
  /** A worker of another host serves the type: the client of this host loses it. */
  readonly onRefused: (applicant: TypeApplicant) => void;
}

/** The agent types that the cluster has granted this host. It asks for each before a client of this host registers it. */
export class TypeClaims {
  readonly #parts: TypeClaimsParts;
  readonly #granted = new Set<string>();
  /** Types that the host asks for again, because the cluster could not say. */
  readonly #again = new Map<string, Timer>();
  #isClosed = false;

  constructor(parts: TypeClaimsParts) {
    this.#parts = parts;
  }

  /** Undefined: this host has the type already (of a shared one, this client has it), or no host takes a type of this name. */
  claim(applicant: TypeApplicant): Promise<TypeGrant> | undefined {
    const { agentType } = applicant;
    if (this.#granted.has(nameOf(applicant))) return undefined;
    if (whyInvalidAgentType(agentType) !== undefined || whyTooLong(agentType) !== undefined) return undefined;
    return this.#claim(applicant);
  }

  /** A client has become the first of this host to serve a type. One that comes back has got its types again without asking. */
  typeOwned(applicant: TypeApplicant): void {
    void this.claim(applicant)?.then((grant) => {
      switch (grant.at) {
        case "held":
          return this.#parts.onRefused(applicant);
        case "unavailable":
          // No other worker is known to have it: the client keeps it, and the host asks until it knows.
          return this.#askAgain(applicant);
        case "granted":
          // Its client has left while the cluster was asked.
          if (!this.#parts.isServed(applicant)) this.#release(applicant);
      }
    });
  }

  /** Asks for nothing more. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#again.values()) timer.cancel();
    this.#again.clear();
  }

  #askAgain(applicant: TypeApplicant): void {
    const { clock, isServed } = this.#parts;
    const name = nameOf(applicant);
    if (this.#isClosed || this.#again.has(name) || !isServed(applicant)) return;
    const ask = (): void => {
      this.#again.delete(name);
      if (isServed(applicant)) this.typeOwned(applicant);
    };
    this.#again.set(name, clock.setTimer(limits.claimAgainMs, ask));
  }

  /** No client of this host serves the type. */
  typeGone(agentType: string): void {
    if (this.#granted.delete(agentType)) this.#parts.cluster.releaseType(agentType);
  }

  /** A client of this host does not serve a shared type any more. */
  sharedLeft(agentType: string, clientId: string): void {
    const name = nameOf({ agentType, clientId, isShared: true });
    if (this.#granted.delete(name)) this.#parts.cluster.releaseType(agentType, clientId);
  }

  async #claim(applicant: TypeApplicant): Promise<TypeGrant> {
    const grant = await this.#parts.cluster.claimType(applicant);
    if (grant.at === "granted") this.#granted.add(nameOf(applicant));
    return grant;
  }

  #release({ agentType, clientId, isShared }: TypeApplicant): void {
    if (isShared) this.sharedLeft(agentType, clientId);
    else this.typeGone(agentType);
  }
}

/** A name of an agent type has no space. */
function nameOf({ agentType, clientId, isShared }: TypeApplicant): string {
  return isShared ? `${agentType} ${clientId}` : agentType;
}
