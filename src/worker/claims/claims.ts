import {
  type AgentCatalog,
  AgentId,
  type AgentName,
  type CallPath,
  compareEpochs,
  type Epoch,
  type HandlerContext,
  movedError,
  nameInPath,
  noPath,
  type PlacedAgents,
  type RunDesk,
} from "../../core/internal.ts";
import type { LeaveReason } from "../../protocol/internal.ts";
import { Claim, type ClaimedWork } from "./claim.ts";
import { ClaimNotices, type ClaimNoticesOptions } from "./claim-notices.ts";
import { LeftClaims } from "./left-claims.ts";

export interface ClaimsOptions extends ClaimNoticesOptions {
  readonly catalog: () => AgentCatalog;
  readonly runs: () => Pick<RunDesk, "keeps">;
}

/** The fate of a message for an agent that the host has placed here. */
export type Admission =
  /** The agent takes it. */
  | { readonly at: "taken"; readonly claim: Claim; readonly isAwaited: boolean }
  /** It goes back to the host. */
  | { readonly at: "returned"; readonly claim: Claim }
  /** It can go nowhere: a turn of the agent waits for it whose state is lost. */
  | { readonly at: "refused" };

/** The origin of a message. */
export interface Arrival {
  /** The turns that wait for it. Default: none. */
  readonly path?: CallPath;
  /** The way back on the connection on which it comes. */
  readonly from: object;
}

const ranks: Readonly<Record<LeaveReason, number>> = {
  idle: 0,
  capacity: 0,
  asked: 1,
  draining: 1,
  failed: 2,
  stale: 2,
};

// protocol.md §11.14, §11.17
/** The agents of shared types that the host has placed in this worker, each under the newest epoch that a message told. */
export class Claims implements PlacedAgents {
  readonly notices: ClaimNotices;
  readonly #catalog: () => AgentCatalog;
  readonly #runs: () => Pick<RunDesk, "keeps">;
  readonly #claims = new Map<string, Claim>();
  readonly #left = new LeftClaims();

  constructor({ catalog, runs, ...notices }: ClaimsOptions) {
    this.#catalog = catalog;
    this.#runs = runs;
    this.notices = new ClaimNotices(notices);
  }

  get size(): number {
    return this.#claims.size;
  }

  has(agent: AgentName): boolean {
    return this.#claims.size > 0 && this.#claims.has(nameOf(agent));
  }

  /** Whether the host has placed the agent here, and has not taken it back. */
  isHeld(agent: AgentName): boolean {
    return this.#claims.size > 0 && this.#claims.get(nameOf(agent))?.state === "held";
  }

  epochOf(agent: AgentName): Epoch | undefined {
    return this.#claims.size === 0 ? undefined : this.#claims.get(nameOf(agent))?.epoch;
  }

  /** Returns the claim of the agent. Undefined: the host has not placed it here, or it was taken back. */
  of(agent: AgentName): Claim | undefined {
    return this.#claims.get(nameOf(agent));
  }

  /** Returns the contexts of the messages at an agent. Undefined: the claim alone does not know them. */
  contextsAt(agent: AgentName): readonly HandlerContext[] | undefined {
    const claim = this.#claims.size === 0 ? undefined : this.#claims.get(nameOf(agent));
    return claim === undefined || claim.hasEarlierTurns ? undefined : claim.contexts();
  }

  /** Decides about a message that has come under this epoch. */
  admit(agent: AgentName, epoch: Epoch, { path = noPath, from }: Arrival): Admission {
    const name = nameOf(agent);
    const known = this.#claims.get(name);
    const order = known === undefined ? 1 : compareEpochs(epoch, known.epoch);
    if (known !== undefined && order === 0) known.from = from;
    if (known !== undefined && order <= 0) return this.#admitTo(known, path);
    const id = new AgentId(agent.type, agent.key);
    const claim = new Claim(id, epoch, from);
    if (known === undefined && this.#left.has(name, epoch)) return { at: "returned", claim };
    claim.onIdle = () => this.#review(claim);
    claim.hasEarlierTurns = known === undefined && this.#catalog().isPresent(id);
    this.#claims.set(name, claim);
    // The host has placed the agent anew: what this worker had of it counts no more.
    if (known !== undefined) {
      this.notices.forget(known);
      this.#catalog().supersede(id);
    }
    return { at: "taken", claim, isAwaited: false };
  }

  /** A message under this epoch was refused or dropped. Without the agent here, the worker asks the host to take the agent back. */
  passedBy(agent: AgentName, epoch: Epoch, from: object): void {
    const known = this.of(agent);
    if (known !== undefined) {
      if (compareEpochs(epoch, known.epoch) === 0) known.from = from;
      return;
    }
    const admission = this.admit(agent, epoch, { from });
    if (admission.at === "taken") this.#review(admission.claim);
  }

  /**
   * Serves a request of the control channel under this epoch. The agent stays until it is served. Rejects if the agent leaves, or has left.
   */
  async during<T>(agent: AgentId, epoch: Epoch, from: object, serve: () => Promise<T>): Promise<T> {
    const admission = this.admit(agent, epoch, { from });
    if (admission.at !== "taken") throw movedError(agent);
    const { claim } = admission;
    const work: ClaimedWork = { mayGoBack: false, isAwaited: false, goBack: () => undefined };
    claim.begin(work);
    try {
      return await serve();
    } finally {
      claim.end(work);
    }
  }

  /** Whether the claim is the present one of its agent. */
  isCurrent(claim: Claim): boolean {
    return this.#claims.get(nameOf(claim)) === claim;
  }

  isNeeded(agent: AgentName): boolean {
    return this.#runs().keeps(agent);
  }

  ask(agent: AgentName, reason: LeaveReason): void {
    const claim = this.of(agent);
    if (claim === undefined || claim.state === "leaving") return;
    if (claim.asked !== undefined && ranks[claim.asked] >= ranks[reason]) return;
    claim.asked = reason;
    this.notices.ask(claim);
  }

  spoil(agent: AgentName, why: "failed" | "unfit" | "stale"): void {
    const claim = this.of(agent);
    if (claim === undefined || claim.isWorthless) return;
    this.ask(agent, why === "stale" ? "stale" : "failed");
    claim.isWorthless = true;
    if (claim.state === "held") claim.state = "worthless";
    if (why === "unfit") claim.returns = "unfit";
    for (const work of claim.unbegun()) {
      // A turn of the agent waits for it, or it waits for the agent that could not be made. It gets the error.
      if (work.isAwaited || (why === "failed" && work.context !== undefined)) continue;
      work.goBack(claim.returns);
    }
  }

  /** The agent has left this worker. */
  letGo(claim: Claim): void {
    this.#claims.delete(nameOf(claim));
    this.remember(claim);
  }

  /** The worker has told the host that it lets the agent go, and takes no message under this claim any more. */
  remember(claim: Claim): void {
    this.#left.add(nameOf(claim), claim.epoch);
  }

  /** The host is lost, and its word with it. Returns the claims that it had given. */
  clear(): readonly Claim[] {
    const all = [...this.#claims.values()];
    this.#claims.clear();
    this.#left.clear();
    this.notices.clear();
    return all;
  }

  // protocol.md §11.19
  /** Returns the claims that the worker has now, for a host that it has joined. */
  all(): readonly Claim[] {
    return [...this.#claims.values()];
  }

  /** The host is lost, and the worker keeps its agents until it has another one. */
  hostGone(): void {
    // Nothing comes any more by the channel on which they left.
    this.#left.clear();
    for (const [name, claim] of this.#claims) {
      if (claim.state !== "worthless") continue;
      this.#claims.delete(name);
      this.notices.forget(claim);
    }
    this.notices.hostGone();
  }

  /** The host of this connection is gone, and the worker has another one. Returns the claims that only the first host had given. */
  clearOf(from: object): readonly Claim[] {
    const gone = [...this.#claims.values()].filter((claim) => claim.from === from);
    for (const claim of gone) {
      this.#claims.delete(nameOf(claim));
      this.notices.forget(claim);
    }
    return gone;
  }

  /** A connection has ended, and the worker has a newer one to the same host. That one stands for the claims now. */
  carryOver(from: object, to: object): void {
    for (const claim of this.#claims.values()) if (claim.from === from) claim.from = to;
  }

  #admitTo(claim: Claim, path: CallPath): Admission {
    const isAwaited = path.length > 0 && isInPath(claim, path);
    switch (claim.state) {
      case "held":
        if (claim.asked === "idle" || claim.asked === "capacity") this.#stays(claim);
        return { at: "taken", claim, isAwaited };
      case "leaving":
      case "worthless":
        if (!isAwaited) return { at: "returned", claim };
        return claim.isWorthless ? { at: "refused" } : { at: "taken", claim, isAwaited };
    }
  }

  #stays(claim: Claim): void {
    claim.asked = undefined;
    this.notices.withdraw(claim);
    this.#catalog().stays(claim.id);
  }

  /** An agent that was never made, and has no message any more, must not stay at the host. */
  #review(claim: Claim): void {
    if (claim.state !== "held" || !this.isCurrent(claim) || this.#catalog().isPresent(claim.id)) return;
    this.ask(claim, "idle");
  }
}

function isInPath({ type, key }: AgentName, path: CallPath): boolean {
  const names = { type: nameInPath(type), key: nameInPath(key) };
  return path.some((turn) => turn.type === names.type && turn.key === names.key);
}

function nameOf({ type, key }: AgentName): string {
  return `${type}/${key}`;
}
