import type { MutableHostCounters } from "../../counters.ts";
import type { Observers } from "../../observer.ts";
import type { AgentDirectory, ClaimOutcome } from "../agent-directory.ts";
import { countHeld, type HeldMessage, type MovingAgent } from "../moving-agent.ts";
import type { Placement } from "../placement.ts";
import type { Workers } from "../workers.ts";
import type { ClusterDirectory } from "./cluster-directory.ts";

export interface AgentClaimingParts {
  readonly directory: AgentDirectory;
  readonly placement: Pick<Placement, "choose">;
  readonly workers: Pick<Workers, "peerOf" | "isDraining">;
  /** Agents that sleep: their workers have let them go, and keep the claims. */
  readonly sleepers: Pick<ClusterDirectory, "sleeperOf" | "passSleeper">;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
}

/** Claims agents for workers of this host. What waits for an agent continues when the outcome is known. */
export class AgentClaiming {
  readonly #parts: AgentClaimingParts;

  constructor(parts: AgentClaimingParts) {
    this.#parts = parts;
  }

  claim(agent: MovingAgent, message: HeldMessage, workerId: string): void {
    const { directory, workers } = this.#parts;
    const { type, key } = agent;
    if (workers.isDraining(workerId)) return this.#passOn(agent, message, workerId);
    const payer = message.payer ?? workers.peerOf(workerId);
    agent.at = "claiming";
    const party = payer?.account.party ?? "";
    void Promise.resolve(directory.claim({ type, key, workerId, party })).then((outcome) => {
      if (agent.at === "claiming" && agent.lane?.has(agent)) this.#claimed(agent, message, workerId, outcome);
    });
  }

  /** The worker stops. An agent that sleeps there goes to another one, and the others are not its. */
  #passOn(agent: MovingAgent, message: HeldMessage, workerId: string): void {
    const { sleepers, placement } = this.#parts;
    const { type, key, above } = agent;
    const chosen = placement.choose(type, { key, caller: message.caller, above, except: workerId });
    agent.at = "claiming";
    if (sleepers.sleeperOf(type, key) !== workerId || "at" in chosen || chosen.worker.id === workerId)
      return this.#claimed(agent, message, workerId, { at: "unfit", reason: "The worker stops." });
    const to = chosen.worker.id;
    void sleepers.passSleeper(type, key, to).then((outcome) => {
      if (agent.at !== "claiming" || agent.lane?.has(agent) !== true) return;
      const known: ClaimOutcome =
        outcome === "done" ? { at: "elsewhere", workerId: to } : { at: "unfit", reason: "The agent has moved." };
      this.#claimed(agent, message, workerId, known);
    });
  }

  #claimed(agent: MovingAgent, message: HeldMessage, workerId: string, outcome: ClaimOutcome): void {
    const { counters, observers, workers } = this.#parts;
    switch (outcome.at) {
      case "held": {
        Object.assign(agent, { failures: 0, heldBy: undefined, tried: undefined, refused: undefined });
        const { type: agentType, key } = outcome.claim;
        const clientId = workers.peerOf(workerId)?.id ?? "";
        observers.now?.({ at: "claim", what: "made", agentType, key, workerId, clientId });
        break;
      }
      case "elsewhere":
        Object.assign(agent, { heldBy: outcome.workerId, failures: agent.failures + 1, refused: message });
        break;
      case "unfit":
        Object.assign(agent, { heldBy: undefined, tried: workerId, failures: agent.failures + 1, refused: message });
        break;
      case "full":
      case "unavailable": {
        counters.refusedClaims += 1;
        const code = outcome.at === "full" ? "overloaded" : "undeliverable";
        agent.refusal = { outcome: { at: "nowhere", code, reason: outcome.reason }, left: countHeld(agent) };
      }
    }
    agent.lane?.resume(agent);
  }
}
