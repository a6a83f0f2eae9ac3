import type { AgentName, Epoch } from "../../core/internal.ts";
import type { Life } from "../life.ts";
import type { ClusterTypes } from "../types/cluster-types.ts";
import type { KnownWorkers } from "../workers/known-workers.ts";
import { TurnByName } from "../workers/turn-by-name.ts";
import type { WorkerSession } from "../workers/worker-session.ts";
import { AgentMove, type GiveOutcome } from "./agent-move.ts";
import { ClaimWrites, type WrittenClaim } from "./claim-writes.ts";
import type { HeldClaim, HeldClaims } from "./held-claims.ts";

/**
 * The outcome of a claim of an agent for one of this host's workers. `held`: it may send the message now. `elsewhere`: another worker has the agent.
 * `moving`: the agent is leaving its worker. `unavailable`: nothing was sent, and a later try may succeed.
 */
export type ClaimOutcome =
  | { readonly at: "held"; readonly claim: HeldClaim }
  | { readonly at: "elsewhere"; readonly workerId: string; readonly epoch: Epoch }
  | { readonly at: "moving" }
  | { readonly at: "unavailable"; readonly reason: "not-serving" | "not-shared" | "no-session" | "no-answer" | "full" };

/** Claims that a host writes at the same time. A new agent beyond that is refused. */
const mostUnderWay = 4_096;

/** Claims that a host looks at each second for a refresh, at least; and the part of all that it looks at. */
const leastLookedAt = 256;
const lookShare = 1 / 600;

/** Refreshes under way. */
const mostRefreshes = 128;

/** Options of `ClusterClaims`. */
export interface ClusterClaimsOptions {
  readonly life: Life;
  readonly held: HeldClaims;
  readonly workers: KnownWorkers;
  readonly types: ClusterTypes;
  readonly current: (workerId: string) => WorkerSession | undefined;
}

/** The claims of agents of shared types by the workers that this host serves. */
export class ClusterClaims {
  readonly #life: Life;
  readonly #held: HeldClaims;
  readonly #types: ClusterTypes;
  readonly #current: (workerId: string) => WorkerSession | undefined;
  readonly #writes: ClaimWrites;
  /** One write at a time to a claim, so that late answers never overtake each other here (rule R1). */
  readonly #turns = new TurnByName();
  /** Agents that are frozen, with their workers. */
  readonly #moves = new Map<string, { readonly workerId: string; readonly move: AgentMove }>();
  #refreshes = 0;

  constructor({ life, held, workers, types, current }: ClusterClaimsOptions) {
    this.#life = life;
    this.#held = held;
    this.#types = types;
    this.#current = current;
    this.#writes = new ClaimWrites(life, (workerId) => workers.isGone(workerId));
  }

  /** Claims that this host holds. */
  get size(): number {
    return this.#held.size;
  }

  /** Agents that are frozen now, and claims that are being written. */
  get moving(): number {
    return this.#moves.size;
  }

  get underWay(): number {
    return this.#turns.size;
  }

  /** The claim under which a message may be sent now. Ask again after each wait (rule R2). An agent that sleeps is claimed anew. */
  find(agent: AgentName): HeldClaim | undefined {
    const claim = this.present(agent);
    return claim === undefined || this.#moves.has(nameOf(agent)) ? undefined : claim;
  }

  /** The claim of an agent, also while it is frozen: under it come the last messages of its worker. */
  present(agent: AgentName): HeldClaim | undefined {
    const claim = this.#held.get(agent);
    return claim === undefined || claim.isAsleep || !this.#isUsable(claim) ? undefined : claim;
  }

  /** The live worker of any host that has an agent, as the store says. Undefined: none, or the store does not answer. It promises nothing. */
  holderOf(agent: AgentName): Promise<string | undefined> {
    return this.#writes.holderOf(agent);
  }

  /** Claims an agent for a worker that this host serves. Synchronous outcomes come from `find`; ask it first. */
  async claim(agent: AgentName, workerId: string): Promise<ClaimOutcome> {
    const name = nameOf(agent);
    if (!this.#life.isServing()) return unavailable("not-serving");
    if (this.#moves.has(name)) return { at: "moving" };
    if (!this.#turns.has(name) && this.#turns.size >= mostUnderWay) return unavailable("full");
    return this.#turns.run(name, () => this.#claim(agent, workerId));
  }

  /**
   * Freezes an agent that this host has claimed, and waits for the write to its claim that is under way. Undefined: it has no claim that
   * may be used, or is moving already.
   */
  async freeze(agent: AgentName): Promise<AgentMove | undefined> {
    const name = nameOf(agent);
    const claim = this.find(agent);
    if (claim === undefined) return undefined;
    const { workerId, session } = claim;
    const move = new AgentMove({
      give: (to) => this.#turns.run(name, () => this.#give(agent, session, workerId, to)),
      sleep: () => this.#putToSleep(agent, session),
      thaw: () => this.#moves.delete(name),
    });
    this.#moves.set(name, { workerId, move });
    await this.#turns.run(name, () => Promise.resolve());
    const now = this.#held.get(agent);
    if (!move.isOver && now !== undefined && now.session === session && this.#isUsable(now)) return move;
    move.thaw();
    return undefined;
  }

  /**
   * Gives an agent that sleeps to another worker: its own worker has let it go before. `lost`: it does not sleep here, or has been claimed by
   * another worker.
   */
  async giveSleeper(agent: AgentName, to: string): Promise<GiveOutcome> {
    const name = nameOf(agent);
    if (this.#moves.has(name)) return "lost";
    return await this.#turns.run(name, async () => {
      const claim = this.#held.get(agent);
      if (claim?.isAsleep !== true || this.#moves.has(name)) return "lost";
      return await this.#give(agent, claim.session, claim.workerId, to);
    });
  }

  /** The claims that this host holds for a worker. */
  of(workerId: string): Iterable<HeldClaim> {
    return this.#held.of(workerId);
  }

  /** Forgets what a worker's session had: its claims may move from now on. */
  forgetOf(workerId: string): void {
    for (const moving of [...this.#moves.values()]) if (moving.workerId === workerId) moving.move.thaw();
    this.#held.deleteOf(workerId);
  }

  /** Refreshes claims whose time has come. Called each second while this host serves (rule R5). */
  look(): void {
    const count = Math.max(leastLookedAt, Math.ceil(this.#held.size * lookShare));
    for (const claim of this.#held.next(Math.min(count, this.#held.size))) {
      if (this.#refreshes >= mostRefreshes) return;
      if (claim.isAsleep || this.#life.now() < claim.refreshMs || this.#current(claim.workerId) === undefined) continue;
      const name = nameOf(claim.agent);
      if (this.#turns.has(name) || this.#moves.has(name)) continue;
      this.#refreshes += 1;
      void this.#turns
        .run(name, () => this.#claim(claim.agent, claim.workerId, "refresh"))
        .then(() => {
          this.#refreshes -= 1;
        });
    }
  }

  #isUsable(claim: HeldClaim): boolean {
    const { workerId, session, usableUntilMs, epoch, agent } = claim;
    const type = this.#types.get(agent.type);
    return (
      this.#current(workerId)?.number === session &&
      this.#life.now() < usableUntilMs &&
      type?.mode === "shared" &&
      type.era === epoch.era
    );
  }

  async #claim(agent: AgentName, workerId: string, why: "use" | "refresh" = "use"): Promise<ClaimOutcome> {
    const session = this.#current(workerId);
    const type = this.#types.get(agent.type);
    if (session === undefined) return unavailable(this.#life.isServing() ? "no-session" : "not-serving");
    if (type?.mode !== "shared") return unavailable("not-shared");
    if (this.#moves.has(nameOf(agent))) return { at: "moving" };
    const before = this.#held.get(agent);
    // Another message has claimed it while this one waited.
    if (why === "use" && before?.workerId === workerId && !before.isAsleep && this.#isUsable(before))
      return { at: "held", claim: before };
    if (before !== undefined && before.workerId !== workerId && this.#isUsable(before))
      return { at: "elsewhere", workerId: before.workerId, epoch: before.epoch };
    if (!this.#held.hasRoomFor(agent)) return unavailable("full");
    // What an earlier session had counts as nothing known.
    const known = before?.workerId === workerId && before.session === session.number ? before : undefined;
    const outcome = await this.#writes.claim({ agent, workerId, era: type.era }, known, () => this.#isStill(session));
    if (outcome.at === "written") return this.#hold(agent, session, outcome, why);
    // Rule R3: nothing is known of the claim now, so that the next use begins with a write. A refresh leaves it as it was: it names the
    // worker, whether it was written or not. An agent that sleeps goes on sleeping while its worker has it, so that it gets a new epoch.
    const isElsewhere = outcome.at === "elsewhere" && outcome.workerId !== before?.workerId;
    if (isElsewhere || (before?.isAsleep !== true && (why === "use" || outcome.at === "elsewhere")))
      this.#held.delete(agent);
    if (outcome.at !== "elsewhere") return unavailable("no-answer");
    if (before !== undefined) this.#life.counters.lostClaims += 1;
    return { at: "elsewhere", workerId: outcome.workerId, epoch: outcome.epoch };
  }

  /** Rule R2: the session that was current before the write may be over now, and the claim then counts for nothing. */
  #hold(agent: AgentName, session: WorkerSession, written: WrittenClaim, why: "use" | "refresh"): ClaimOutcome {
    if (why === "use") this.#life.counters.claims += 1;
    else this.#life.counters.claimRefreshes += 1;
    if (!this.#isStill(session)) return unavailable("no-session");
    const { claimUseMs, claimRefreshMs } = this.#life.times;
    const claim: HeldClaim = {
      ...{
        agent,
        workerId: session.workerId,
        session: session.number,
        epoch: written.epoch,
        revision: written.revision,
      },
      ...{ usableUntilMs: written.sentMs + claimUseMs, refreshMs: written.sentMs + claimRefreshMs, isAsleep: false },
    };
    this.#held.set(claim);
    if (this.#moves.has(nameOf(agent))) return { at: "moving" };
    return this.#isUsable(claim) ? { at: "held", claim } : unavailable("not-serving");
  }

  #isStill(session: WorkerSession): boolean {
    return session.isCurrent && this.#current(session.workerId) === session;
  }

  async #give(agent: AgentName, sessionNumber: number, workerId: string, to: string): Promise<GiveOutcome> {
    const session = this.#current(workerId);
    const claim = this.#held.get(agent);
    // Rule R2: only this very session has let the agent go.
    const mayGive = session?.number === sessionNumber && claim?.session === sessionNumber && this.#isUsable(claim);
    const wanted = claim && { agent, workerId, era: claim.epoch.era };
    const outcome = mayGive && wanted !== undefined ? await this.#writes.give(wanted, claim, to) : "lost";
    if (outcome === "given") {
      this.#life.counters.moves += 1;
      this.#held.delete(agent);
    }
    // The next use begins with a write (rule R3). If the agent stays with its worker, it gets a new epoch: the worker has let it go, and
    // begins nothing more under this one.
    else this.#putToSleep(agent, sessionNumber);
    return outcome;
  }

  #putToSleep(agent: AgentName, session: number): void {
    const claim = this.#held.get(agent);
    if (claim?.session === session) this.#held.set({ ...claim, isAsleep: true });
  }
}

function unavailable(reason: Extract<ClaimOutcome, { at: "unavailable" }>["reason"]): ClaimOutcome {
  return { at: "unavailable", reason };
}

function nameOf({ type, key }: AgentName): string {
  return `${type}/${key}`;
}
