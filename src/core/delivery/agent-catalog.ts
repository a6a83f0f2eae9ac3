// Over 400 lines: the one table of the agents of a runtime; all that can stand apart is in the files beside it.
import type { AgentRuntime } from "../agent-runtime.ts";
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "../agents/agent.ts";
import { AgentId, assertAgentType } from "../agents/agent-id.ts";
import { type SharingOptions, type SharingTerms, sharingTerms } from "../agents/sharing.ts";
import { classConcurrency, type TurnKind, type TurnOptions } from "../agents/turns.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { errorText, TroupeError, UndeliverableException } from "../errors.ts";
import type { RuntimeLog } from "../limited-log.ts";
import type { MessageLogSink } from "../message-log-records.ts";
import { type CallPath, noPath } from "../scope/call-path.ts";
import { effectsOf, type TurnEffects } from "../state/effects.ts";
import { assertAgentId } from "../validation/assert-arguments.ts";
import {
  type AgentKind,
  assertAgent,
  assertFactory,
  assertPromisedClass,
  type ClassCheck,
  classNameOf,
  createAgentKind,
} from "./agent-kind.ts";
import { AgentTurns } from "./agent-turns.ts";
import type { KeptStates } from "./kept-states.ts";
import type { Delivery, Layer } from "./layers.ts";
import { loggableError, loggableText } from "./loggable.ts";
import type { LongWaits } from "./long-waits.ts";
import { emitRecord } from "./message-log.ts";
import { inOwnTurn } from "./own-turn.ts";
import { RunningPaths } from "./running-paths.ts";

export interface AgentCatalogOptions {
  /** The runtime to which agents are bound. */
  readonly runtime: AgentRuntime;
  readonly ambient?: AmbientContexts | undefined;
  readonly messageLog?: MessageLogSink | undefined;
  readonly logger?: RuntimeLog | undefined;
  /** The check of `expectedClass`. Default: `subclass`. */
  readonly classCheck?: ClassCheck | undefined;
  /** Whether agents are sequential if neither their registration nor their class says otherwise. Default: false. */
  readonly sequentialAgents?: boolean | undefined;
  /** Makes the tokens of turns; see `SharedTurns`. Default: numbers, for a runtime whose turns no other one sees. */
  readonly turnTokenOf?: ((delivery: Delivery) => string) | undefined;
  /** Watches calls that wait long for their turn. Default: nothing is watched. */
  readonly longWaits?: LongWaits | undefined;
  /** Loads the states of persistent agents. Default: agents keep none. */
  readonly states?: KeptStates | undefined;
  /** The layer around the turns of persistent agents. Set together with `states`. */
  readonly commitLayer?: Layer | undefined;
  /** Called for each type that ends with its instances when the catalog closes. */
  readonly onTypeGone?: ((type: string) => void) | undefined;
}

/** An agent whose end a close of the catalog waits for. */
export interface UnendedAgent {
  readonly id: AgentId;
  readonly at: "being made" | "being closed";
}

const notRegisteredInstance =
  "Agent factory was invoked for an agent instance that was not registered. This is likely due to the agent type being " +
  "incorrectly subscribed to a topic. If it happens when publishing to the default topic, turn on " +
  "skipClassSubscriptions when registering the agent.";

// protocol.md §5.3
/** The agents that live in one runtime, and the factories that make the others. */
export class AgentCatalog {
  readonly #options: AgentCatalogOptions;
  readonly #kinds = new Map<string, AgentKind>();
  readonly #unended = new Set<UnendedAgent>();
  /** Ends the waits of `made`. */
  readonly #onClose = new Set<() => void>();
  #hasTurns = false;
  #hasShared = false;
  /** Types whose agents keep a state. */
  readonly #persistentTypes = new Set<string>();
  #lastToken = 0;
  /** The running handlers for whose calls turns wait. */
  readonly paths = new RunningPaths();

  constructor(options: AgentCatalogOptions) {
    this.#options = options;
  }

  /** The runtime that owns the agents. */
  get runtime(): AgentRuntime {
    return this.#options.runtime;
  }

  /** Registers a factory. Throws `already-exists` when the type is taken, and `invalid-argument` when it is not a valid type. */
  addFactory<T extends Agent>(
    type: string,
    factory: AgentFactory<T>,
    options: { readonly expectedClass?: ClassOf<T> | undefined } & TurnOptions & SharingOptions = {},
  ): void {
    assertAgentType(type);
    assertFactory(type, factory);
    this.assertFree(type);
    const { expectedClass } = options;
    const turns = this.#createTurns(type, expectedClass, options);
    const sharing = sharingTerms(options, expectedClass);
    if (sharing !== undefined) this.#hasShared = true;
    this.#kinds.set(type, createAgentKind({ by: "factory", factory, expectedClass }, { turns, sharing }));
  }

  /** Throws `already-exists` when the type is taken. */
  assertFree(type: string): void {
    if (this.#kinds.has(type)) throw new TroupeError("already-exists", `Agent with type ${type} already exists.`);
  }

  /** Removes a factory, when a host refused the type. The catalog drops its agents and does not close them. */
  removeFactory(type: string): void {
    if (this.#kinds.get(type)?.source.by === "factory") this.#kinds.delete(type);
  }

  // The errors are those of protocol.md §5.3.
  /**
   * Binds the agent and adds it to the catalog. Rejects with `shutting-down` when the catalog closes meanwhile; the close then closes
   * the agent. When it rejects, the catalog does not hold the agent.
   */
  async addInstance(agent: Agent, id: AgentId, options: TurnOptions = {}): Promise<void> {
    assertAgentId(id, "id of an instance");
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
    const home = kind ?? this.#createInstancesKind(id.type, agent, options);
    this.#kinds.set(id.type, home);
    try {
      await this.#keepWhileMade(home, id.key, this.#bind(agent, id, true));
    } catch (error) {
      this.removeInstance(id, agent);
      throw error;
    }
    if (home.live.get(id.key) === agent) return;
    const text = `The registration of ${id} was cut short, because the runtime ends. Register a new agent after its next start.`;
    throw new UndeliverableException(text, { code: "shutting-down" });
  }

  #createInstancesKind(type: string, agent: Agent, options: TurnOptions): AgentKind {
    const turns = this.#createTurns(type, agent.constructor, options);
    return createAgentKind({ by: "instances", prototype: Object.getPrototypeOf(agent) }, { turns });
  }

  /** Removes an instance, unless the id belongs to another one by now. Removing the last one frees the type. */
  removeInstance(id: AgentId, agent: Agent): void {
    const kind = this.#kinds.get(id.type);
    if (kind?.source.by !== "instances") return;
    if (kind.live.get(id.key) === agent) kind.live.delete(id.key);
    if (kind.live.size === 0 && kind.making.size === 0) this.#kinds.delete(id.type);
  }

  hasType(type: string): boolean {
    return this.#kinds.has(type);
  }

  /** Whether a sequential type was ever registered. While it is false, no message pays for turns. */
  get hasTurns(): boolean {
    return this.#hasTurns;
  }

  /** Whether the agents of a type keep a state. */
  keepsState(type: string): boolean {
    return this.#persistentTypes.has(type);
  }

  /** Returns the effects of the turn of a persistent agent that runs. Undefined: what the sender publishes leaves at once. */
  effectsOf(sender: AgentId | undefined): TurnEffects | undefined {
    if (sender === undefined || !this.#persistentTypes.has(sender.type)) return undefined;
    const agent = this.peek(sender) ?? this.#options.states?.activating(sender);
    return agent === undefined ? undefined : effectsOf(agent);
  }

  /**
   * Ends the activation of an agent whose state is gone: the next message makes another one, and so do those that wait for their turn.
   * Returns false for an instance, which can't be made again.
   */
  forget(id: AgentId, agent: Agent): boolean {
    const kind = this.#kinds.get(id.type);
    if (kind?.source.by === "instances") return false;
    kind?.turns?.release(agent);
    if (kind?.live.get(id.key) !== agent) return true;
    kind.live.delete(id.key);
    this.#end(id, agent).catch((error: unknown) => {
      const text = loggableText(`Agent ${id} failed to close: ${errorText(error)}`);
      this.#options.logger?.error(text, { error: loggableError(error) }, "An agent failed to close");
    });
    return true;
  }

  /** Returns the turns of a sequential type. Undefined for other types. */
  turnsOf(type: string): AgentTurns | undefined {
    return this.#kinds.get(type)?.turns;
  }

  /** Whether a shared type was ever registered. While it is false, no message pays for shared types. */
  get hasShared(): boolean {
    return this.#hasShared;
  }

  /** Returns the terms under which this runtime shares the type with others. Undefined for a type that is not shared. */
  sharingOf(type: string): SharingTerms | undefined {
    return this.#kinds.get(type)?.sharing;
  }

  /** Returns the registered types, in the order of their registration. */
  types(): string[] {
    return [...this.#kinds.keys()];
  }

  /** Returns the live agent, else a promise of the one that is being made. Throws or rejects with `not-found` for an unknown type. */
  agentFor(id: AgentId): Agent | Promise<Agent> {
    const kind = this.#kinds.get(id.type);
    if (kind === undefined) throw agentNotFound(id);
    const known = kind.live.get(id.key) ?? kind.making.get(id.key);
    if (known !== undefined) return known;
    const made = this.#make(kind, id);
    // No factory makes an instance. One that the user registers in this moment must find its place free.
    return kind.source.by === "instances" ? made : this.#keepWhileMade(kind, id.key, made);
  }

  /** Resolves to the agent, and makes it if needed. Rejects with `not-found`, and with `shutting-down` when the catalog closes first. */
  async made(id: AgentId): Promise<Agent> {
    const found = this.agentFor(id);
    if (!(found instanceof Promise)) return found;
    return new Promise<Agent>((resolve, reject) => {
      const onClose = () => {
        const text = `The runtime ended before agent ${id} was made.`;
        reject(new UndeliverableException(text, { code: "shutting-down", notHandled: true }));
      };
      this.#onClose.add(onClose);
      void found.then(resolve, reject).finally(() => this.#onClose.delete(onClose));
    });
  }

  /** Returns the live agent, or undefined. It does not make one. */
  peek(id: AgentId): Agent | undefined {
    return this.#kinds.get(id.type)?.live.get(id.key);
  }

  /** Returns the path of a call that the agent makes in its own name without its handler's signal or scope. */
  pathOf(sender: AgentId | undefined): CallPath {
    if (sender === undefined || this.paths.isEmpty) return noPath;
    const agent = this.peek(sender);
    return agent === undefined ? noPath : this.paths.of(agent);
  }

  /** Returns all live agents with their ids. */
  *liveAgents(): IterableIterator<readonly [id: AgentId, agent: Agent]> {
    for (const [type, kind] of this.#kinds) {
      for (const [key, agent] of kind.live) yield [new AgentId(type, key), agent];
    }
  }

  /** Resolves to the agent as an instance of `agentClass`, and makes it if needed. Rejects with `not-found` or `wrong-class`. */
  async instance<T extends Agent = Agent>(id: AgentId, agentClass?: ClassOf<T>): Promise<T> {
    const agent = await this.made(id);
    // Without a class the caller chooses T, as in AutoGen's signature. The catalog can't check it.
    if (agentClass === undefined || agent instanceof agentClass) return agent as T;
    throw new TroupeError(
      "wrong-class",
      `Agent with name ${id.type} is not of type ${agentClass.name}. It is of type ${classNameOf(agent)}.`,
    );
  }

  async metadata(id: AgentId): Promise<AgentMetadata> {
    return (await this.made(id)).metadata;
  }

  /** Resolves to an agent's state. A persistent agent gives it in a turn that reads. */
  saveState(id: AgentId): Promise<AgentState> {
    return this.#inTurn(id, "reading", (agent) => agent.saveState());
  }

  /** Gives an agent a state. A persistent agent takes it in a turn of its own, and commits it. */
  loadState(id: AgentId, state: AgentState): Promise<void> {
    return this.#inTurn(id, "alone", (agent) => agent.loadState(state));
  }

  /** Resolves to the states of all live agents by `type/key`. */
  async saveAll(): Promise<AgentState> {
    const states: Record<string, unknown> = {};
    for (const [id, agent] of [...this.liveAgents()]) {
      const isPersistent = this.#persistentTypes.has(id.type);
      states[id.toString()] = await (isPersistent ? this.saveState(id) : agent.saveState());
    }
    return states;
  }

  /** Loads what `saveAll` returned, and makes agents as needed. It ignores agents of types that are not registered. */
  async loadAll(states: AgentState): Promise<void> {
    for (const [text, state] of Object.entries(states)) {
      const id = AgentId.parse(text);
      // Only the agent knows the shape of its state, and checks what it loads.
      if (this.hasType(id.type)) await this.loadState(id, state as AgentState);
    }
  }

  /** Agents that `close` has not ended yet: those that are still being made, and those whose own `close` runs. */
  get unended(): readonly UnendedAgent[] {
    return [...this.#unended];
  }

  /**
   * Drops every agent of a shared type, live or being made: the next message makes it anew. The catalog closes it. A handler that runs
   * continues; that of a persistent agent commits nothing any more. Rejects as `close` does.
   */
  async dropShared(): Promise<void> {
    if (!this.#hasShared) return;
    const ending: Promise<void>[] = [];
    for (const [type, kind] of this.#kinds) {
      if (kind.sharing === undefined) continue;
      if (this.#persistentTypes.has(type)) this.#dropStates(kind);
      this.#dropAll(type, kind, ending);
    }
    await settled(ending);
  }

  /**
   * Closes every agent once, also those that are being made, and removes them at once. So a factory that ends later puts nothing
   * into the next run, and this close ends nothing of that run. Factories stay; the types of instances end. When an agent's
   * `close` throws, the catalog still closes the others. Then it rejects with that error, or with an `AggregateError` of several.
   */
  async close(): Promise<void> {
    const ending: Promise<void>[] = [];
    for (const [type, kind] of this.#kinds) {
      this.#dropAll(type, kind, ending);
      if (kind.source.by !== "instances") continue;
      this.#kinds.delete(type);
      this.#options.onTypeGone?.(type);
    }
    for (const onClose of this.#onClose) onClose();
    this.#onClose.clear();
    await settled(ending);
  }

  #dropStates({ live, making, turns }: AgentKind): void {
    const drop = (agent: Agent) => {
      this.#options.states?.drop(agent);
      turns?.release(agent);
    };
    for (const agent of live.values()) drop(agent);
    // Callers that wait for an agent which could not be made have the error.
    for (const made of making.values()) made.then(drop, () => undefined);
  }

  #dropAll(type: string, { live, making }: AgentKind, ending: Promise<void>[]): void {
    for (const [key, agent] of live) ending.push(this.#end(new AgentId(type, key), agent));
    for (const [key, made] of making) ending.push(this.#end(new AgentId(type, key), made));
    live.clear();
    making.clear();
  }

  #createTurns(type: string, agentClass: unknown, options: TurnOptions): AgentTurns | undefined {
    const byDefault = this.#options.sequentialAgents === true ? "sequential" : "interleaved";
    const isSequential = (options.concurrency ?? classConcurrency(agentClass) ?? byDefault) === "sequential";
    const keepsState = this.#options.states?.assertKept(type, agentClass, isSequential) === true;
    if (keepsState) this.#persistentTypes.add(type);
    else this.#persistentTypes.delete(type);
    if (isSequential || keepsState) this.#hasTurns = true;
    if (!isSequential) return undefined;
    const tokenOf = this.#options.turnTokenOf ?? (() => String(++this.#lastToken));
    return new AgentTurns({ paths: this.paths, tokenOf, longWaits: this.#options.longWaits }, options);
  }

  async #inTurn<T>(id: AgentId, kind: TurnKind, body: (agent: Agent) => T | Promise<T>): Promise<T> {
    const { commitLayer, runtime } = this.#options;
    const agent = await this.made(id);
    if (commitLayer === undefined || !this.#persistentTypes.has(id.type)) return body(agent);
    return inOwnTurn({ id, runtime, kind, turns: this.turnsOf(id.type), commitLayer, made: () => this.made(id), body });
  }

  /** Closes an agent, once it is made. */
  async #end(id: AgentId, made: Agent | Promise<Agent>): Promise<void> {
    const unended: { id: AgentId; at: UnendedAgent["at"] } = { id, at: "being closed" };
    this.#unended.add(unended);
    try {
      let agent: Agent;
      if (made instanceof Promise) {
        unended.at = "being made";
        try {
          agent = await made;
        } catch {
          // There is no agent. The callers that waited for it have the error.
          return;
        }
        unended.at = "being closed";
      } else agent = made;
      await agent.close();
    } finally {
      this.#unended.delete(unended);
    }
  }

  /**
   * Keeps an agent that is being made. It becomes live in the first reaction to its promise, and waiting messages hold that
   * same promise. They reach the agent in their order, before messages that find it live.
   */
  #keepWhileMade(kind: AgentKind, key: string, made: Promise<Agent>): Promise<Agent> {
    kind.making.set(key, made);
    made.then(
      (agent) => {
        // Not if the catalog was closed meanwhile: then the agent is closed, and another may be made under its key.
        if (kind.making.get(key) !== made) return;
        kind.making.delete(key);
        kind.live.set(key, agent);
      },
      () => kind.making.get(key) === made && kind.making.delete(key),
    );
    return made;
  }

  async #make(kind: AgentKind, id: AgentId): Promise<Agent> {
    const { source } = kind;
    const { runtime, ambient, classCheck = "subclass" } = this.#options;
    const context = { id, runtime };
    const build = async () => {
      if (source.by === "instances") throw new TroupeError("not-found", notRegisteredInstance);
      const agent = await source.factory(context);
      assertPromisedClass(agent, id, source.expectedClass, classCheck);
      return this.#bind(agent, id);
    };
    try {
      return await (ambient === undefined ? build() : ambient.inFactory(context, build));
    } catch (error) {
      const text = loggableText(`Error constructing agent ${id}: ${errorText(error)}`);
      this.#options.logger?.error(
        text,
        { agent: loggableText(id.toString()), error: loggableError(error) },
        `Error constructing an agent of type ${id.type}`,
      );
      const { messageLog } = this.#options;
      if (messageLog !== undefined) {
        const exception = errorText(error);
        emitRecord(messageLog, { type: "AgentConstructionException", agent_id: id.toString(), exception });
      }
      throw error;
    }
  }

  async #bind(agent: Agent, id: AgentId, isInstance = false): Promise<Agent> {
    await agent.bindIdAndRuntime(id, this.#options.runtime);
    if (isInstance && this.#options.states?.loadsInstancesLate) return agent;
    const loading = this.#options.states?.load(agent, id);
    if (loading === undefined) return agent;
    this.#persistentTypes.add(id.type);
    this.#hasTurns = true;
    await loading;
    await this.#options.states?.save(agent);
    return agent;
  }
}

/** Resolves when all agents have ended. Rejects with their error, or with an `AggregateError` of several. */
async function settled(ending: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(ending);
  const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} agents failed to close.`);
}

// The first sentence is Python's: protocol.md §5.3.
/** Makes the error for an agent whose type is not registered in the runtime that is asked. */
export function agentNotFound({ type, key }: AgentId): TroupeError {
  const advice = `To reach ${type}/${key}, register its agent type in this runtime, or correct the id.`;
  return new TroupeError("not-found", `Agent with name ${type} not found. ${advice}`);
}
