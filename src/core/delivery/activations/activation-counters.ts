import type { DeactivationReason } from "../../agents/agent-life.ts";

/** Counts of a runtime's activations since its creation. */
export interface ActivationCounters {
  /** Agents that became live, instances included. */
  activations: number;
  /** Activations that ended, by the reason. */
  deactivations: Record<DeactivationReason, number>;
  /** Activations that were dropped because `onDeactivate` took longer than `deactivationTimeoutMs`. */
  forcedDeactivations: number;
  /** Activations beyond `maxLive` or `maxLiveAgents`, because the agents that were unused for the longest time were all busy. */
  overCap: number;
}

export function createActivationCounters(): ActivationCounters {
  return {
    activations: 0,
    deactivations: {
      idle: 0,
      capacity: 0,
      asked: 0,
      moved: 0,
      draining: 0,
      "shutting-down": 0,
      destroyed: 0,
      stale: 0,
    },
    forcedDeactivations: 0,
    overCap: 0,
  };
}

/** Returns a copy that does not change any more. */
export function copyOfCounters(counters: ActivationCounters): ActivationCounters {
  const { activations, deactivations, forcedDeactivations, overCap } = counters;
  return { activations, deactivations: { ...deactivations }, forcedDeactivations, overCap };
}
