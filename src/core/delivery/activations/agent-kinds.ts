import type { AgentRuntime } from "../../agent-runtime.ts";
import type { Agent, AgentFactory, ClassOf } from "../../agents/agent.ts";
import { type AgentId, assertAgentType } from "../../agents/agent-id.ts";
import { classLife, type LifeOptions } from "../../agents/agent-life.ts";
import { type SharingOptions, sharingTerms } from "../../agents/sharing.ts";
import { type PrincipalOptions, tellsPrincipal } from "../../agents/told-principal.ts";
import { assertMayRunAhead, classConcurrency, classRunAhead, type TurnOptions } from "../../agents/turns.ts";
import type { Clock } from "../../clock.ts";
import { TroupeError } from "../../errors.ts";
import { assertNotReserved } from "../../reserved-names.ts";
import type { Delivery } from "../layers.ts";
import { AgentTurns, type SharedTurns } from "../turns/agent-turns.ts";
import type { LongWaits } from "../turns/long-waits.ts";
import type { RunningPaths } from "../turns/running-paths.ts";
import { shareTurns } from "../turns/turn-in-line.ts";
import type { ActivationStates } from "./activation-ports.ts";
import { type AgentKind, assertAgent, assertFactory, createAgentKind } from "./agent-kind.ts";
import { LiveAgents } from "./live-agents.ts";

export interface AgentKindsOptions {
  readonly runtime: AgentRuntime;
  readonly clock: Clock;
  /** Whether agents are sequential if neither their registration nor their class says otherwise. Default: false. */
  readonly sequentialAgents?: boolean | undefined;
  /** Makes the tokens of turns; see `SharedTurns`. Default: numbers, for a runtime whose turns no other one sees. */
  readonly turnTokenOf?: ((delivery: Delivery) => string) | undefined;
  /** Watches calls that wait long for their turn. Default: nothing is watched. */
  readonly longWaits?: LongWaits | undefined;
  /** Loads the states of persistent agents. Default: agents keep none. */
  readonly states?: ActivationStates | undefined;
  /** Largest number of live agents that factories make. Default: any number. */
  readonly maxLiveAgents?: number | undefined;
  /** The running handlers for whose calls turns wait. */
  readonly paths: RunningPaths;
}

/** Options of a type whose agents a factory makes. */
export type FactoryOptions<T extends Agent> = { readonly expectedClass?: ClassOf<T> | undefined } & TurnOptions &
  LifeOptions &
  SharingOptions &
  PrincipalOptions;

/** Milliseconds without a turn after which an agent that keeps a state is deactivated. */
const idleWithStateMs = 600_000;

/** The agent types of one runtime: how each makes its agents, and how they live. */
export class AgentKinds {
  readonly #options: AgentKindsOptions;
  readonly #kinds = new Map<string, AgentKind>();
  /** Types whose agents keep a state. */
  readonly #persistentTypes = new Set<string>();
  #hasShared = false;
  #isPlain = true;
  readonly #shared: SharedTurns;
  #lastToken = 0;

  constructor(options: AgentKindsOptions) {
    this.#options = options;
    const { runtime, paths, longWaits, turnTokenOf = () => String(++this.#lastToken) } = options;
    this.#shared = { paths, tokenOf: turnTokenOf, longWaits };
    shareTurns(runtime, this.#shared);
  }

  /** The registered types by their name, in the order of their registration. */
  get all(): ReadonlyMap<string, AgentKind> {
    return this.#kinds;
  }

  get(type: string): AgentKind | undefined {
    return this.#kinds.get(type);
  }

  /** True until a type is registered that is sequential or has a limit. While it is true, no message pays for turns and limits. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** Whether a shared type was ever registered. While it is false, no message pays for shared types. */
  get hasShared(): boolean {
    return this.#hasShared;
  }

  /** Looks how long messages wait for their turns; see `AgentTurns.oldestWaitMs`. */
  oldestWaitMs(nowMs: number): number {
    let oldestMs = 0;
    for (const { turns } of this.#kinds.values())
      if (turns !== undefined) oldestMs = Math.max(oldestMs, turns.oldestWaitMs(nowMs));
    return oldestMs;
  }

  /** Whether the agents of a type keep a state. */
  keepsState(type: string): boolean {
    return this.#persistentTypes.has(type);
  }

  /** Notes that an agent of the type was found to keep a state. */
  foundState(type: string): void {
    this.#persistentTypes.add(type);
    this.#isPlain = false;
  }

  /** Registers a factory. Throws `already-exists` when the type is taken, and `invalid-argument` when it is not a valid type. */
  addFactory<T extends Agent>(type: string, factory: AgentFactory<T>, options: FactoryOptions<T> = {}): void {
    assertAgentType(type);
    assertNotReserved("agent type", type);
    assertFactory(type, factory);
    this.assertFree(type);
    const { expectedClass } = options;
    const turns = this.#createTurns(type, expectedClass, options);
    const life = this.#createLife(expectedClass, options, this.#persistentTypes.has(type));
    if (turns !== undefined || life.tracked !== undefined) this.#isPlain = false;
    const sharing = sharingTerms(options, expectedClass);
    const tells = tellsPrincipal(options, expectedClass);
    if (sharing !== undefined) this.#hasShared = true;
    this.#kinds.set(
      type,
      createAgentKind({ by: "factory", factory, expectedClass }, { turns, sharing, ...life, tellsPrincipal: tells }),
    );
  }

  /** Throws `already-exists` when the type is taken. */
  assertFree(type: string): void {
    if (this.#kinds.has(type)) throw new TroupeError("already-exists", `Agent with type ${type} already exists.`);
  }

  /** Removes a factory, when a host refused the type. The runtime drops its agents and does not close them. */
  removeFactory(type: string): void {
    if (this.#kinds.get(type)?.source.by === "factory") this.#kinds.delete(type);
  }

  // The errors are those of protocol.md §5.3.
  /** Returns the type of an instance, and registers it if the instance is its first one. Throws if the instance does not fit in. */
  ofInstance(agent: Agent, id: AgentId, options: TurnOptions & PrincipalOptions): AgentKind {
    assertAgent(agent);
    const kind = this.#kinds.get(id.type);
    const prototype: object = Object.getPrototypeOf(agent);
    const isTaken = kind?.live.has(id.key) === true || (kind?.source.by === "instances" && kind.making.has(id.key));
    if (isTaken) throw new TroupeError("already-exists", `Agent with id ${id} already exists.`);
    if (kind?.source.by === "factory") {
      const text = "Agent factories and agent instances cannot be registered to the same type.";
      throw new TroupeError("already-exists", text);
    }
    if (kind !== undefined && kind.source.prototype !== prototype) {
      throw new TroupeError("wrong-class", "Agent instances must be the same object type.");
    }
    const home = kind ?? this.#createInstances(id.type, agent, options);
    this.#kinds.set(id.type, home);
    return home;
  }

  /** Removes a type of instances. */
  removeInstances(type: string): void {
    this.#kinds.delete(type);
  }

  #createTurns(type: string, agentClass: unknown, options: TurnOptions): AgentTurns | undefined {
    const byDefault = this.#options.sequentialAgents === true ? "sequential" : "interleaved";
    const isSequential = (options.concurrency ?? classConcurrency(agentClass) ?? byDefault) === "sequential";
    const keepsState = this.#options.states?.assertKept(type, agentClass, isSequential) === true;
    if (keepsState) this.#persistentTypes.add(type);
    else this.#persistentTypes.delete(type);
    if (keepsState) this.#isPlain = false;
    const runAhead = options.runAhead ?? classRunAhead(agentClass) ?? 0;
    assertMayRunAhead(type, runAhead, { isSequential, keepsState: keepsState || agentClass === undefined });
    if (!isSequential) return undefined;
    return new AgentTurns(this.#shared, { ...options, runAhead });
  }

  #createLife(agentClass: unknown, options: LifeOptions, keepsState: boolean) {
    const ofClass = classLife(agentClass);
    const never = Number.POSITIVE_INFINITY;
    const idleAfterMs = options.idleAfterMs ?? ofClass.idleAfterMs ?? (keepsState ? idleWithStateMs : never);
    const maxLive = options.maxLive ?? ofClass.maxLive ?? never;
    const { maxLiveAgents = never } = this.#options;
    const isLimited = [idleAfterMs, maxLive, maxLiveAgents].some(Number.isFinite);
    const tracked = isLimited ? new LiveAgents(() => this.#options.clock.now()) : undefined;
    return { limits: { idleAfterMs, maxLive }, tracked };
  }

  #createInstances(type: string, agent: Agent, options: TurnOptions & PrincipalOptions): AgentKind {
    const turns = this.#createTurns(type, agent.constructor, options);
    const tells = tellsPrincipal(options, agent.constructor);
    if (turns !== undefined) this.#isPlain = false;
    return createAgentKind(
      { by: "instances", prototype: Object.getPrototypeOf(agent) },
      { turns, tellsPrincipal: tells },
    );
  }
}
