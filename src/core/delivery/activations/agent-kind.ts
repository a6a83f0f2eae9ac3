import type { Agent, AgentFactory, ClassOf } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { SharingTerms } from "../../agents/sharing.ts";
import { TroupeError } from "../../errors.ts";
import type { AgentTurns } from "../turns/agent-turns.ts";
import type { LiveAgents, LiveTable } from "./live-agents.ts";

/** The check of a made agent: `exact` takes only the promised class, `subclass` its subclasses too. */
export type ClassCheck = "exact" | "subclass";

/** The source of one type's agents: a factory, or registered instances, which share one class. */
export type AgentSource =
  | {
      readonly by: "factory";
      readonly factory: AgentFactory;
      readonly expectedClass: ClassOf<Agent> | undefined;
    }
  | { readonly by: "instances"; readonly prototype: object };

/** How long the agents of a type stay live. `Infinity`: without a limit. */
export interface LifeLimits {
  readonly idleAfterMs: number;
  readonly maxLive: number;
}

/** The agents of one type in a catalog. */
export interface AgentKind {
  readonly source: AgentSource;
  /** Live agents by key. */
  readonly live: LiveTable;
  /** The same table in the order of the last use. Undefined: no limit asks for that order. */
  readonly tracked: LiveAgents | undefined;
  /** Agents that are being made, by key. Later callers share the one attempt. */
  readonly making: Map<string, Promise<Agent>>;
  /** Ends of activations that are under way, by key. None of these promises rejects. */
  readonly ending: Map<string, Promise<void>>;
  /** Undefined: the handlers of one agent interleave. */
  readonly turns: AgentTurns | undefined;
  readonly limits: LifeLimits;
  /** Undefined: one worker alone serves the type. */
  readonly sharing: SharingTerms | undefined;
  /** Whether its handlers hear who calls. */
  readonly tellsPrincipal: boolean;
  /** Whether one of its agents has handled an event, a told message, or a call to which such a message led. */
  isCounted: boolean;
}

export const noLimits: LifeLimits = { idleAfterMs: Number.POSITIVE_INFINITY, maxLive: Number.POSITIVE_INFINITY };

export interface AgentKindOptions {
  readonly turns?: AgentTurns | undefined;
  readonly sharing?: SharingTerms | undefined;
  /** Default: false. */
  readonly tellsPrincipal?: boolean | undefined;
  /** Default: none. */
  readonly limits?: LifeLimits | undefined;
  /** Keeps the live agents in the order of their last use. */
  readonly tracked?: LiveAgents | undefined;
}

export function createAgentKind(source: AgentSource, options: AgentKindOptions = {}): AgentKind {
  const { turns, sharing, tellsPrincipal = false, limits = noLimits, tracked } = options;
  const tables = { live: tracked ?? new Map(), tracked, making: new Map(), ending: new Map() };
  return { source, ...tables, turns, limits, sharing, tellsPrincipal, isCounted: false };
}

/** Throws `invalid-argument` when the factory is not a function, for instance when it is an agent. */
export function assertFactory(type: string, factory: unknown): void {
  if (typeof factory === "function") return;
  const text = `The factory of agent type ${type} must be a function that makes an agent: () => new Greeter("greets")`;
  throw new TroupeError("invalid-argument", text);
}

/** Throws `wrong-class` when a factory made nothing, or not an agent of the promised class. */
export function assertPromisedClass(
  agent: Agent | undefined,
  id: AgentId,
  expected: ClassOf<Agent> | undefined,
  check: ClassCheck,
): void {
  if (!isAgent(agent)) {
    const hint = 'It has to return (or resolve to) an instance of an agent class: () => new Greeter("greets").';
    throw new TroupeError("wrong-class", `The factory of agent type ${id.type} returned no agent. ${hint}`);
  }
  if (expected === undefined) return;
  const fits = check === "exact" ? Object.getPrototypeOf(agent) === expected.prototype : agent instanceof expected;
  if (fits) return;
  throw new TroupeError(
    "wrong-class",
    `Factory registered using the wrong type: ${id.type} was promised as ${expected.name || "an unnamed class"} and made ${classNameOf(agent)}.`,
  );
}

/** Throws `invalid-argument` when the registered instance is not an agent, for instance when it is a class. */
export function assertAgent(agent: unknown): void {
  if (isAgent(agent)) return;
  const text =
    'The registered instance must be an agent, for instance new Greeter("greets"). Register a factory with registerFactory.';
  throw new TroupeError("invalid-argument", text);
}

function isAgent(agent: unknown): agent is Agent {
  if (typeof agent !== "object" || agent === null) return false;
  return "onMessage" in agent && "bindIdAndRuntime" in agent && typeof agent.bindIdAndRuntime === "function";
}

/** Returns the name of a value's class, for error texts. */
export function classNameOf(value: object): string {
  return value.constructor?.name || "an unnamed class";
}
