import type { AgentRuntime } from "../agent-runtime.ts";
import type { Timer } from "../clock.ts";
import type { OptionKinds } from "../validation/assert-options.ts";
import { number } from "../validation/option-kinds.ts";
import { someRoom, someTime, wrongValue } from "../validation/option-values.ts";
import type { Agent } from "./agent.ts";

/**
 * The reason for the end of an activation.
 * - `idle`: the agent had no turn for `idleAfterMs`. `capacity`: other agents needed its place (`maxLive`, `maxLiveAgents`).
 * - `asked`: `deactivateAgent`. `destroyed`: `destroyAgent`, or the agent itself.
 * - `moved`: another worker takes the agent. `draining`: its worker hands all of its agents over.
 * - `shutting-down`: the runtime ends.
 * - `stale`: the copy is worthless, because another one has written or the host took the agent back. Nothing is saved.
 */
export type DeactivationReason =
  | "idle"
  | "capacity"
  | "asked"
  | "moved"
  | "draining"
  | "shutting-down"
  | "destroyed"
  | "stale";

/** Describes the activation that begins. */
export interface ActivationContext {
  /** Whether nothing is stored for this agent. True for every agent that keeps no state. */
  readonly isNew: boolean;
  /** Aborts when the runtime ends before the activation has begun. */
  readonly signal: AbortSignal;
}

/** Options of how long the agents of a type stay live. All are optional. */
export interface LifeOptions {
  /**
   * Milliseconds without a turn until the runtime deactivates an agent of the type. Default: what the class says
   * (`static idleAfterMs`), then 600 000 for agents that keep a state, then never (`Infinity`).
   */
  readonly idleAfterMs?: number | undefined;
  /**
   * Largest number of live agents of the type in this runtime. Beyond it the runtime deactivates the one that had no turn for the
   * longest time. Agents with a running turn or a waiting message stay. Default: what the class says (`static maxLive`), then any number.
   */
  readonly maxLive?: number | undefined;
}

/** Options of `BaseAgent.startTimer`. All are optional. */
export interface AgentTimerOptions {
  /** Whether the timer starts again when its turn has ended. Default: false. */
  readonly repeats?: boolean | undefined;
}

export const lifeKinds: OptionKinds<LifeOptions> = { idleAfterMs: number(someTime), maxLive: number(someRoom) };

/** Returns the life options alone. */
export function lifeOptionsOf({ idleAfterMs, maxLive }: LifeOptions): LifeOptions {
  return { idleAfterMs, maxLive };
}

/** Returns the life options of a class, as its static members say. Throws `invalid-argument` for a wrong value. */
export function classLife(agentClass: unknown): LifeOptions {
  return { idleAfterMs: staticNumber(agentClass, "idleAfterMs"), maxLive: staticNumber(agentClass, "maxLive") };
}

function staticNumber(agentClass: unknown, name: "idleAfterMs" | "maxLive"): number | undefined {
  if (typeof agentClass !== "function") return undefined;
  const value: unknown = Reflect.get(agentClass, name);
  if (value === undefined || (typeof value === "number" && value >= 1)) return value;
  throw wrongValue(`The static ${name} of class ${agentClass.name} must be a number of at least 1`, value);
}

/** The port by which an agent reaches its activation in the runtime. */
export interface ActivationPort {
  startTimer(agent: Agent, start: TimerStart): Timer;
  keepActive(agent: Agent, ms: number): void;
}

/** A timer that an agent starts. */
export interface TimerStart {
  readonly delayMs: number;
  readonly message: unknown;
  readonly repeats: boolean;
}

const ports = new WeakMap<AgentRuntime, ActivationPort>();

/** Called once by a runtime, so that its agents reach their activations. */
export function offerActivations(runtime: AgentRuntime, port: ActivationPort): void {
  ports.set(runtime, port);
}

/** Returns undefined for a runtime of the user's own. */
export function activationsOf(runtime: AgentRuntime): ActivationPort | undefined {
  return ports.get(runtime);
}
