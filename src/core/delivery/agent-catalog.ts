import type { AgentRuntime } from "../agent-runtime.ts";
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "../agents/agent.ts";
import { AgentId, assertAgentType } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { errorText, TroupeError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { MessageLogSink } from "../message-log-records.ts";
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
import { loggableError, loggableText } from "./loggable.ts";

export interface AgentCatalogOptions {
  /** The runtime agents are bound to. */
  readonly runtime: AgentRuntime;
  readonly ambient?: AmbientContexts | undefined;
  readonly messageLog?: MessageLogSink | undefined;
  readonly logger?: Logger | undefined;
  /** How `expectedClass` is checked. Default `subclass`. */
  readonly classCheck?: ClassCheck | undefined;
  /** Told of each type that goes with its instances when the catalog closes. */
  readonly onTypeGone?: ((type: string) => void) | undefined;
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

  constructor(options: AgentCatalogOptions) {
    this.#options = options;
  }

  /** The runtime whose agents these are. */
  get runtime(): AgentRuntime {
    return this.#options.runtime;
  }

  /** Throws `already-exists` when the type is taken, by a factory or by instances; `invalid-argument` when it is none. */
  addFactory<T extends Agent>(
    type: string,
    factory: AgentFactory<T>,
    options: { readonly expectedClass?: ClassOf<T> | undefined } = {},
  ): void {
    assertAgentType(type);
    assertFactory(type, factory);
    if (this.#kinds.has(type)) throw new TroupeError("already-exists", `Agent with type ${type} already exists.`);
    this.#kinds.set(type, createAgentKind({ by: "factory", factory, expectedClass: options.expectedClass }));
  }

  /** Takes back a factory (a host refused the type). Agents of it are forgotten, not closed. */
  removeFactory(type: string): void {
    if (this.#kinds.get(type)?.source.by === "factory") this.#kinds.delete(type);
  }

  /** Binds the agent and puts it on the catalog; throws as §5.3 says and then nothing has changed. */
  async addInstance(agent: Agent, id: AgentId): Promise<void> {
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
    const home = kind ?? createAgentKind({ by: "instances", prototype });
    this.#kinds.set(id.type, home);
    try {
      await this.#shelve(home, id.key, this.#bind(agent, id));
    } catch (error) {
      this.removeInstance(id);
      throw error;
    }
  }

  /** Takes back an instance; the type is free again with its last one. */
  removeInstance(id: AgentId): void {
    const kind = this.#kinds.get(id.type);
    if (kind?.source.by !== "instances") return;
    kind.live.delete(id.key);
    if (kind.live.size === 0 && kind.making.size === 0) this.#kinds.delete(id.type);
  }

  hasType(type: string): boolean {
    return this.#kinds.has(type);
  }

  /** The registered types, in the order they were registered. */
  types(): string[] {
    return [...this.#kinds.keys()];
  }

  /** The live agent at once; else a promise of the one that is being made. Throws or rejects `not-found` for an unknown type. */
  agentFor(id: AgentId): Agent | Promise<Agent> {
    const kind = this.#kinds.get(id.type);
    if (kind === undefined) throw new TroupeError("not-found", `Agent with name ${id.type} not found.`);
    return kind.live.get(id.key) ?? kind.making.get(id.key) ?? this.#shelve(kind, id.key, this.#make(kind, id));
  }

  /** The live agent if there is one; makes none. */
  peek(id: AgentId): Agent | undefined {
    return this.#kinds.get(id.type)?.live.get(id.key);
  }

  /** All live agents with their ids. */
  *liveAgents(): IterableIterator<readonly [id: AgentId, agent: Agent]> {
    for (const [type, kind] of this.#kinds) {
      for (const [key, agent] of kind.live) yield [new AgentId(type, key), agent];
    }
  }

  /** The agent as an instance of `agentClass`, made if need be; `not-found` or `wrong-class` otherwise. */
  async instance<T extends Agent = Agent>(id: AgentId, agentClass?: ClassOf<T>): Promise<T> {
    const agent = await this.agentFor(id);
    // Without a class T is what the caller says it is: AutoGen's signature, which nothing here can check.
    if (agentClass === undefined || agent instanceof agentClass) return agent as T;
    throw new TroupeError(
      "wrong-class",
      `Agent with name ${id.type} is not of type ${agentClass.name}. It is of type ${classNameOf(agent)}.`,
    );
  }

  async metadata(id: AgentId): Promise<AgentMetadata> {
    return (await this.agentFor(id)).metadata;
  }

  async saveState(id: AgentId): Promise<AgentState> {
    return (await this.agentFor(id)).saveState();
  }

  async loadState(id: AgentId, state: AgentState): Promise<void> {
    await (await this.agentFor(id)).loadState(state);
  }

  /** The states of all live agents by `type/key`. */
  async saveAll(): Promise<AgentState> {
    const states: Record<string, unknown> = {};
    for (const [id, agent] of [...this.liveAgents()]) states[id.toString()] = await agent.saveState();
    return states;
  }

  /** Loads what `saveAll` gave, making agents as needed; types that are not registered are passed over. */
  async loadAll(states: AgentState): Promise<void> {
    for (const [text, state] of Object.entries(states)) {
      const id = AgentId.parse(text);
      // What a state looks like only its agent knows: it checks what it loads.
      if (this.hasType(id.type)) await this.loadState(id, state as AgentState);
    }
  }

  /**
   * Closes every live agent once, those in the making too, and forgets them; factories stay, the types of instances go. All are closed even if one
   * throws; then it rejects with that error, with an `AggregateError` for several.
   */
  async close(): Promise<void> {
    const making = [...this.#kinds.values()].flatMap((kind) => [...kind.making.values()]);
    await Promise.allSettled(making);
    const agents = [...this.#kinds.values()].flatMap((kind) => [...kind.live.values()]);
    for (const [type, kind] of this.#kinds) {
      kind.live.clear();
      if (kind.source.by !== "instances") continue;
      this.#kinds.delete(type);
      this.#options.onTypeGone?.(type);
    }
    const ends = await Promise.allSettled(agents.map(async (agent) => agent.close()));
    const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} agents failed to close.`);
  }

  /**
   * The agent becomes live in the first reaction to its promise, and whoever waits for it holds that same promise: so
   * messages that came meanwhile reach it in their order, before those that find it live.
   */
  #shelve(kind: AgentKind, key: string, made: Promise<Agent>): Promise<Agent> {
    kind.making.set(key, made);
    made.then(
      (agent) => {
        kind.making.delete(key);
        kind.live.set(key, agent);
      },
      () => kind.making.delete(key),
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
      this.#options.logger?.error(text, { agent: loggableText(id.toString()), error: loggableError(error) });
      this.#options.messageLog?.emit({
        type: "AgentConstructionException",
        agent_id: id.toString(),
        exception: errorText(error),
      });
      throw error;
    }
  }

  async #bind(agent: Agent, id: AgentId): Promise<Agent> {
    await agent.bindIdAndRuntime(id, this.#options.runtime);
    return agent;
  }
}
