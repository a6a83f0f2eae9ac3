import type { Agent, AgentFactory, ClassOf } from "../agents/agent.ts";
import type { AgentId } from "../agents/agent-id.ts";
import { TroupeError } from "../errors.ts";

/** How a catalog compares a made agent with the class that was promised: exactly, or subclasses too. */
export type ClassCheck = "exact" | "subclass";

/** Where the agents of one type come from: a factory, or instances handed in, which share one class. */
export type AgentSource =
  | {
      readonly by: "factory";
      readonly factory: AgentFactory;
      readonly expectedClass: ClassOf<Agent> | undefined;
    }
  | { readonly by: "instances"; readonly prototype: object };

/** The agents of one type on a catalog. */
export interface AgentKind {
  readonly source: AgentSource;
  /** By key. */
  readonly live: Map<string, Agent>;
  /** In the making: later callers share the one attempt. */
  readonly making: Map<string, Promise<Agent>>;
}

export function createAgentKind(source: AgentSource): AgentKind {
  return { source, live: new Map(), making: new Map() };
}

/** Throws `invalid-argument` for what is no function: an agent, for one, in the place of its factory. */
export function assertFactory(type: string, factory: unknown): void {
  if (typeof factory === "function") return;
  const text = `The factory of agent type ${type} must be a function that makes an agent: () => new Greeter("greets")`;
  throw new TroupeError("invalid-argument", text);
}

/** Throws `wrong-class` when a factory made nothing, or something else than it promised. */
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
    `Factory registered using the wrong type: ${id.type} was promised as ${expected.name} and made ${classNameOf(agent)}.`,
  );
}

/** Throws `invalid-argument` for what is registered as an instance and is none, its class for one. */
export function assertAgent(agent: unknown): void {
  if (isAgent(agent)) return;
  const text =
    'What is registered as an instance has to be an agent, new Greeter("greets"); a factory is registered with registerFactory.';
  throw new TroupeError("invalid-argument", text);
}

function isAgent(agent: unknown): agent is Agent {
  if (typeof agent !== "object" || agent === null) return false;
  return "onMessage" in agent && "bindIdAndRuntime" in agent && typeof agent.bindIdAndRuntime === "function";
}

/** The name of a value's class, for texts. */
export function classNameOf(value: object): string {
  return value.constructor?.name || "an unnamed class";
}
