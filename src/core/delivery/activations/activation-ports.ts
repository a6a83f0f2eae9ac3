import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { AgentName } from "../../state/agent-name.ts";

/** The states of the activations of one runtime. Agents that keep no state never reach it. */
export interface ActivationStates {
  /** Whether an instance loads its state with its first message, not when it is registered. */
  readonly loadsInstancesLate: boolean;
  /**
   * Throws if agents of this class can't be kept here, or not with these turns. Called when a type is registered. Returns whether
   * they keep a state.
   */
  assertKept(type: string, agentClass: unknown, isSequential: boolean): boolean;
  /**
   * Loads the state of a bound agent. Call it before `onActivate`, and `save` after that: what happens between is a turn.
   * Undefined: this agent keeps no state.
   */
  load(agent: Agent, id: AgentId): Promise<{ readonly isNew: boolean }> | undefined;
  /** Commits what `onActivate` or `onDeactivate` has changed. Undefined: nothing has changed. Rejects if it is not written. */
  save(agent: Agent): Promise<void> | undefined;
  /** Call it before `onDeactivate`, and `save` or `drop` after that: what happens between is a turn. */
  beginLastTurn?(agent: Agent): void;
  /** Returns an agent whose `onActivate` or `onDeactivate` runs: no catalog finds it. */
  activating?(id: AgentId): Agent | undefined;
  /** Another program may write the states from now on: each agent asks whether its own is still the stored one before its next turn. */
  doubt?(): void;
  /** Forgets the activation; nothing is saved. */
  drop(agent: Agent): void;
  /** Deletes all that is kept of an agent, which is not live now. Undefined: the agents of its type keep nothing. */
  destroy(id: AgentId): Promise<void> | undefined;
}

/**
 * The agents that a host has placed in this runtime, one by one. The activation of such an agent ends in order only when the host takes the
 * agent back (`Departures.release`).
 */
export interface PlacedAgents {
  /** Whether the host has placed the agent here, and has not taken it back. */
  has(agent: AgentName): boolean;
  /** Whether the runtime keeps something for the agent that would be lost with its place. Such an agent is not idle. */
  isNeeded(agent: AgentName): boolean;
  /** Asks the host to take the agent back. Until it does, the agent takes messages. */
  ask(agent: AgentName, reason: "idle" | "capacity" | "asked"): void;
  /**
   * There is no activation any more whose state counts. What has not begun goes back to the host, and so does what comes until the host takes
   * the agent back. `failed`: it could not begin, and messages that wait for it have the error. `unfit`: its stored state is newer than its
   * class. `stale`: another program has written its state, or it has ended itself.
   */
  spoil(agent: AgentName, why: "failed" | "unfit" | "stale"): void;
}
