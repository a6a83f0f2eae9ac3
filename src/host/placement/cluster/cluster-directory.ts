import type { AgentMove, HeldClaim } from "../../../cluster/internal.ts";
import { type AgentName, compareEpochs, type Epoch } from "../../../core/internal.ts";
import type { SharedType } from "../../registry/shared-type.ts";
import type {
  AgentDirectory,
  Claim,
  ClaimOutcome,
  ClaimPage,
  ClaimQuery,
  ClaimRequest,
  ClusterRegistrations,
  LetGoOutcome,
} from "../agent-directory.ts";
import type { PlaceVersions } from "../place-versions.ts";
import type { ClusterPlaces } from "./cluster-places.ts";
import type { HeldClaimsTable } from "./held-claims-table.ts";

export interface ClusterDirectoryParts {
  /** The claims that this host holds, also those of `places.claims`. */
  readonly held: HeldClaimsTable;
  readonly places: ClusterPlaces;
  readonly versions: PlaceVersions;
  readonly maxClaims: number;
}

interface Frozen {
  readonly move: AgentMove;
  readonly epoch: Epoch;
}

const listedAtOnce = 200;
const pageSize = 100;

// protocol.md §12.8
/** The directory of a host in a cluster: the claims of the workers that it serves. */
export class ClusterDirectory implements AgentDirectory {
  readonly versions: PlaceVersions;
  readonly cluster: ClusterRegistrations;
  readonly #parts: ClusterDirectoryParts;
  /** Agents that are frozen, by their names. */
  readonly #frozen = new Map<string, Frozen>();

  constructor(parts: ClusterDirectoryParts) {
    this.#parts = parts;
    this.versions = parts.versions;
    const { places } = parts;
    this.cluster = {
      get generation() {
        return places.generation;
      },
      exclusive: (agentType) => places.exclusive(agentType),
      serves: (agentType, workerId) =>
        places.exclusive(agentType)?.workerId === workerId || places.isServer(agentType, workerId),
    };
  }

  get size(): number {
    return this.#parts.held.size;
  }

  find(type: SharedType, key: string): Claim | undefined {
    const held = this.#parts.places.claims.present({ type: type.name, key });
    return held && claimOf(held);
  }

  holds(type: SharedType, key: string, workerId: string, epoch: Epoch): boolean {
    const held = this.#parts.places.claims.present({ type: type.name, key });
    return held !== undefined && held.workerId === workerId && compareEpochs(held.epoch, epoch) === 0;
  }

  /** The worker of this host that keeps the claim of an agent which sleeps. */
  sleeperOf(type: SharedType, key: string): string | undefined {
    const held = this.#parts.held.get({ type: type.name, key });
    return held?.isAsleep ? held.workerId : undefined;
  }

  /** Gives such an agent to another worker. Never rejects. */
  async passSleeper(type: SharedType, key: string, to: string): Promise<LetGoOutcome> {
    const outcome = await this.#parts.places.claims.giveSleeper({ type: type.name, key }, to);
    return outcome === "given" ? "done" : outcome;
  }

  claim({ type, key, workerId, party }: ClaimRequest): Promise<ClaimOutcome> {
    return this.#claim({ type: type.name, key }, workerId, party);
  }

  async freeze(type: SharedType, { key, epoch }: Claim): Promise<boolean> {
    const agent = { type: type.name, key };
    const move = await this.#parts.places.claims.freeze(agent);
    if (move === undefined) return false;
    const present = this.#parts.places.claims.present(agent);
    if (present === undefined || compareEpochs(present.epoch, epoch) !== 0) {
      move.thaw();
      return false;
    }
    this.#frozen.set(nameOf(agent), { move, epoch });
    return true;
  }

  /** Without `to` the agent sleeps: its worker keeps the claim, and the next message claims it anew. */
  letGo(type: SharedType, { key, epoch }: Claim, to?: string): LetGoOutcome | Promise<LetGoOutcome> {
    const frozen = this.#takeFrozen({ type: type.name, key }, epoch);
    if (frozen === undefined) return "lost";
    this.versions.changed(key);
    if (to === undefined) return frozen.move.sleep() ? "done" : "lost";
    return frozen.move.give(to).then((outcome) => {
      this.versions.changed(key);
      return outcome === "given" ? "done" : outcome;
    });
  }

  stays(type: SharedType, { key, epoch }: Claim): void {
    this.#takeFrozen({ type: type.name, key }, epoch)?.move.thaw();
  }

  /** The end of the worker's session ends its claims here. */
  workerGone(): void {
    this.versions.changedAll();
  }

  /** Other hosts may serve the type. Claims of an earlier era count for nothing. */
  typeGone(): void {
    this.versions.changedAll();
  }

  list({ type, workerId, after = 0, limit = pageSize }: ClaimQuery = {}): ClaimPage {
    const claims: Claim[] = [];
    let place = after;
    for (let seen = 0; ; seen += 1) {
      const found = this.#parts.held.from(place);
      if (found === undefined) return { claims, next: undefined };
      if (claims.length >= limit || seen >= listedAtOnce) return { claims, next: place };
      place = found.next;
      const { agent, workerId: holder, isAsleep } = found.claim;
      const isAsked = (type === undefined || type === agent.type) && (workerId === undefined || workerId === holder);
      if (isAsked && !isAsleep) claims.push(claimOf(found.claim));
    }
  }

  newestEpoch({ era }: Pick<SharedType, "era">): Epoch {
    const { places, held } = this.#parts;
    return { generation: places.generation, era, number: held.newestNumber };
  }

  claimsOf(workerId: string, limit: number, isPassedBy: (claim: Claim) => boolean): readonly Claim[] {
    const claims: Claim[] = [];
    for (const held of this.#parts.held.awakeOf(workerId)) {
      if (claims.length >= limit) break;
      const claim = claimOf(held);
      if (!isPassedBy(claim)) claims.push(claim);
    }
    return claims;
  }

  countOf(workerId: string): number {
    return this.#parts.held.countOf(workerId);
  }

  async #claim(agent: AgentName, workerId: string, party: string): Promise<ClaimOutcome> {
    const { held, places, maxClaims } = this.#parts;
    held.payFor(agent, party);
    const outcome = await places.claims.claim(agent, workerId).finally(() => held.payFor(agent, undefined));
    this.versions.changed(agent.key);
    switch (outcome.at) {
      case "held":
        return { at: "held", claim: claimOf(outcome.claim) };
      case "elsewhere":
        return { at: "elsewhere", workerId: outcome.workerId };
      case "moving":
        return { at: "unfit", reason: "The agent is on its way to another worker." };
      case "unavailable":
        return unavailable(outcome.reason, held.size, maxClaims);
    }
  }

  #takeFrozen(agent: AgentName, epoch: Epoch): Frozen | undefined {
    const frozen = this.#frozen.get(nameOf(agent));
    if (frozen === undefined || compareEpochs(frozen.epoch, epoch) !== 0) return undefined;
    this.#frozen.delete(nameOf(agent));
    return frozen;
  }
}

type Unavailable = Extract<
  Awaited<ReturnType<ClusterPlaces["claims"]["claim"]>>,
  { readonly at: "unavailable" }
>["reason"];

function unavailable(reason: Unavailable, size: number, maxClaims: number): ClaimOutcome {
  switch (reason) {
    case "full":
      return {
        at: "full",
        reason: `This host knows the places of ${size} agents, and takes no more of this address (maxClaims: ${maxClaims}).`,
      };
    case "not-serving":
      return { at: "unavailable", reason: "This host has lost touch with its cluster; nothing was sent." };
    case "no-answer":
      return { at: "unavailable", reason: "The cluster did not answer in time; nothing was sent. Try again later." };
    case "no-session":
      return { at: "unfit", reason: "The worker has left this host." };
    case "not-shared":
      return { at: "unfit", reason: "The agent type is not shared any more." };
  }
}

function claimOf({ agent: { type, key }, workerId, epoch }: HeldClaim): Claim {
  return { type, key, workerId, epoch };
}

function nameOf({ type, key }: AgentName): string {
  return `${type}/${key}`;
}
