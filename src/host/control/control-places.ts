import { parseControlDestination } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import type { PlaceGates } from "../peers/places/place-gates.ts";
import type { AcrossSeat } from "../placement/leaving-agents.ts";
import type { Found, Located, Nowhere, Seeker } from "../placement/located.ts";
import type { MovingAgent } from "../placement/moving-agent.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { CameRequest } from "./held-requests.ts";

/**
 * Where a control request goes. `moving`: it waits for an agent of a shared type. `gate`: it waits for the place of an exclusive type. `client`
 * undefined: no client serves the agent.
 */
export type ControlPlace =
  | { readonly at: "client"; readonly clientId: string | undefined }
  | { readonly at: "moving"; readonly agent: MovingAgent }
  | { readonly at: "gate"; readonly key: string }
  | { readonly at: "nowhere"; readonly reason: string };

/** Finds agents of shared types over several hosts. */
export interface SeeksAcross {
  seek(type: SharedType, key: string, account: MemoryAccount, usesRoute: boolean): Found | Nowhere | MovingAgent;
}

export interface ControlPlacesParts {
  readonly owners: Pick<TypeOwners, "shared" | "locate">;
  readonly placement: { locate(type: SharedType, key: string, seeker: Seeker): Located };
  /** Agents that move from one worker of this host to another. */
  readonly leaving: { readonly size: number; find(type: SharedType, key: string): MovingAgent | undefined };
  readonly across: AcrossSeat<SeeksAcross>;
  readonly others: OthersSeat;
  /** Hold what waits for the place of an exclusive type. */
  readonly gates: Pick<PlaceGates, "isInUse">;
}

type Sought = Pick<CameRequest, "from" | "envelope" | "tries" | "gatedSinceMs">;

/** Finds the workers to which control requests go, at this host and at others. */
export class ControlPlaces {
  readonly #parts: ControlPlacesParts;

  constructor(parts: ControlPlacesParts) {
    this.#parts = parts;
  }

  find({ from, envelope, tries, gatedSinceMs }: Sought): ControlPlace {
    const at = parseControlDestination(envelope.destination);
    if (at?.kind !== "agent") return { at: "client", clientId: at?.clientId };
    const { owners, across } = this.#parts;
    const type = owners.shared(at.type);
    // One that has waited has had the cluster asked.
    const wasWrong = tries > 0 && gatedSinceMs === undefined;
    if (type === undefined) return this.#ofExclusive(at.type, at.key, from.account.party, wasWrong);
    if (across.now === undefined) return this.#alone(type, at.key, { caller: undefined, payer: from });
    return placeOf(across.now.seek(type, at.key, from.account, tries === 0 && !from.isElsewhere));
  }

  #alone(type: SharedType, key: string, seeker: Seeker): ControlPlace {
    const { leaving, placement } = this.#parts;
    const agent = leaving.size > 0 ? leaving.find(type, key) : undefined;
    if (agent !== undefined) return { at: "moving", agent };
    const located = placement.locate(type, key, seeker);
    return { at: "client", clientId: located.at === "found" ? located.peer.id : undefined };
  }

  // protocol.md §12.4
  #ofExclusive(agentType: string, key: string, party: string, wasWrong: boolean): ControlPlace {
    const { owners, others, gates } = this.#parts;
    const clientId = owners.locate(agentType, key);
    if (clientId !== undefined || !others.now.areThere) return { at: "client", clientId };
    if (wasWrong) others.now.doubt(agentType, party);
    const gate = gates.isInUse ? others.now.gateFor(agentType) : undefined;
    if (gate !== undefined) return { at: "gate", key: gate };
    const found = others.now.find(agentType, party);
    switch (found?.at) {
      case undefined:
        return { at: "client", clientId: undefined };
      case "found":
        return { at: "client", clientId: found.peer.id };
      case "later":
        return { at: "gate", key: found.key };
      case "busy":
        return {
          at: "nowhere",
          reason: `The host asks its cluster for ${limits.lookUps} agent types already. Try again later.`,
        };
    }
  }
}

function placeOf(sought: Found | Nowhere | MovingAgent): ControlPlace {
  if ("lane" in sought) return { at: "moving", agent: sought };
  return sought.at === "found" ? { at: "client", clientId: sought.peer.id } : { at: "nowhere", reason: sought.reason };
}
