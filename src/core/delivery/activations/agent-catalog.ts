// One file, since it is all that runtimes ask of their agents; each question goes to a file beside it.
import type { AgentRuntime } from "../../agent-runtime.ts";
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "../../agents/agent.ts";
import { AgentId } from "../../agents/agent-id.ts";
import type { DeactivationReason } from "../../agents/agent-life.ts";
import { type HandledType, handledTypesOf } from "../../agents/handled-messages.ts";
import type { SharingTerms } from "../../agents/sharing.ts";
import type { PrincipalOptions } from "../../agents/told-principal.ts";
import type { TurnOptions } from "../../agents/turns.ts";
import type { AmbientContexts } from "../../ambient-contexts.ts";
import { type Clock, systemClock } from "../../clock.ts";
import { TroupeError, UndeliverableException } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { MessageLogSink } from "../../message-log-records.ts";
import { assertAgentId } from "../../validation/assert-arguments.ts";
import type { WaitingHandlers } from "../calls/waiting-handlers.ts";
import type { HandlerContext } from "../handler-context.ts";
import type { Layer } from "../layers.ts";
import type { TurnLease } from "../turn-lease.ts";
import type { AgentTurns } from "../turns/agent-turns.ts";
import { RunningPaths } from "../turns/running-paths.ts";
import { type ActivationCounters, createActivationCounters } from "./activation-counters.ts";
import type { PlacedAgents } from "./activation-ports.ts";
import type { TimerMessage } from "./activation-timers.ts";
import { type ActivationEnds, Activations, type DropReason, type LostReason } from "./activations.ts";
import { type ClassCheck, classNameOf } from "./agent-kind.ts";
import { AgentKinds, type AgentKindsOptions, type FactoryOptions } from "./agent-kinds.ts";
import { allClosed, type CatalogEnd, endInSteps } from "./catalog-end.ts";
import type { UnendedAgent } from "./deactivations.ts";
import { SavedStates } from "./saved-states.ts";
import { SenderScopes } from "./sender-scopes.ts";

export interface AgentCatalogOptions extends Omit<AgentKindsOptions, "clock" | "paths"> {
  /** The runtime to which agents are bound. */
  readonly runtime: AgentRuntime;
  readonly ambient?: AmbientContexts | undefined;
  readonly messageLog?: MessageLogSink | undefined;
  readonly logger?: RuntimeLog | undefined;
  /** The check of `expectedClass`. Default: `subclass`. */
  readonly classCheck?: ClassCheck | undefined;
  /** Default: the clock of the system. */
  readonly clock?: Clock | undefined;
  /** The agents that a host has placed here. Default: no host places agents in this runtime. */
  readonly placed?: PlacedAgents | undefined;
  /** The lease under which code of agents begins. Default: it needs none. */
  readonly lease?: TurnLease | undefined;
  /** The layer around the turns of persistent agents. Set together with `states`. */
  readonly commitLayer?: Layer | undefined;
  /** Counts of activations. Default: the catalog's own. */
  readonly counts?: ActivationCounters | undefined;
  /** Whether the runtime counts the handlers that led to an event or a told message. Default: false. */
  readonly countsEvents?: boolean | undefined;
  /** Counts the handlers that wait for a call. Default: the runtime does not. */
  readonly waiting?: WaitingHandlers | undefined;
  /** Milliseconds that an agent has for `onDeactivate` and the last commit, and for `close`. Default: 5 000. */
  readonly deactivationTimeoutMs?: number | undefined;
  /** Returns the contexts of the messages that an agent handles, or that wait for their turn there. Default: none. */
  readonly contextsAt?: ((id: AgentId) => readonly HandlerContext[]) | undefined;
  /** Delivers the message of a timer as a turn of its agent. Default: it is dropped. */
  readonly deliverTimer?: ((message: TimerMessage) => void) | undefined;
  /** Called for each type that ends with its instances when the catalog closes. */
  readonly onTypeGone?: ((type: string) => void) | undefined;
  /** Called when an agent is being destroyed, with the promise of its end. */
  readonly onDestroying?: ((id: AgentId, destroyed: Promise<void>) => void) | undefined;
}

// protocol.md §5.3
/** The agents that live in one runtime, and the factories that make the others. */
export class AgentCatalog {
  readonly #options: AgentCatalogOptions;
  readonly #kinds: AgentKinds;
  readonly #activations: Activations;
  /** Ends the waits of `made`. */
  readonly #onClose = new Set<() => void>();
  readonly #saved: SavedStates;
  /** The running handlers for whose calls turns wait, and those of counted types. */
  readonly paths = new RunningPaths();
  /** Path, depth and effects that these handlers pass on to what their agents send. */
  readonly senders: SenderScopes;

  constructor(options: AgentCatalogOptions) {
    const { runtime, ambient, messageLog, logger, states, classCheck = "subclass" } = options;
    this.#options = options;
    const { clock = systemClock, placed } = options;
    this.#kinds = new AgentKinds({ ...options, clock, paths: this.paths });
    const countsEvents = options.countsEvents === true;
    const { waiting } = options;
    this.senders = new SenderScopes({ kinds: this.#kinds, paths: this.paths, states, ambient, countsEvents, waiting });
    this.#saved = new SavedStates({
      ...{ runtime, kinds: this.#kinds, commitLayer: options.commitLayer, lease: options.lease },
      made: (id) => this.made(id),
      peek: (id) => this.peek(id),
      inUse: (id, run) => this.inUse(id, run),
      liveAgents: () => this.liveAgents(),
    });
    this.#activations = new Activations({
      ...{ runtime, ambient, messageLog, logger, states, classCheck },
      ...{ clock, placed, lease: options.lease },
      counts: options.counts ?? createActivationCounters(),
      maxLiveAgents: options.maxLiveAgents ?? Number.POSITIVE_INFINITY,
      deactivationTimeoutMs: options.deactivationTimeoutMs ?? 5_000,
      kinds: this.#kinds.all,
      contextsAt: (id) => [...(options.contextsAt?.(id) ?? []), ...this.#saved.contextsAt(id)],
      deliverTimer: options.deliverTimer ?? (({ onEnd }) => onEnd()),
      onStateFound: (type) => this.#kinds.foundState(type),
    });
  }

  /** The runtime that owns the agents. */
  get runtime(): AgentRuntime {
    return this.#options.runtime;
  }

  // The errors are those of protocol.md §5.3.
  /**
   * Binds the agent and adds it to the catalog. Rejects with `shutting-down` when the catalog closes meanwhile; the close then closes
   * the agent. When it rejects, the catalog does not hold the agent.
   */
  async addInstance(agent: Agent, id: AgentId, options: TurnOptions & PrincipalOptions = {}): Promise<void> {
    assertAgentId(id, "id of an instance");
    const home = this.#kinds.ofInstance(agent, id, options);
    try {
      const activated = this.#activations.activate(agent, id, { isInstance: true });
      await this.#activations.keepWhileMade(home, id, activated);
    } catch (error) {
      this.removeInstance(id, agent);
      throw error;
    }
    if (home.live.get(id.key) === agent) return;
    const text = `The registration of ${id} was cut short, because the runtime ends. Register a new agent after its next start.`;
    throw new UndeliverableException(text, { code: "shutting-down" });
  }

  /** Removes an instance, unless the id belongs to another one by now. Removing the last one frees the type. */
  removeInstance(id: AgentId, agent: Agent): void {
    const kind = this.#kinds.get(id.type);
    if (kind?.source.by !== "instances") return;
    if (kind.live.get(id.key) === agent) kind.live.delete(id.key);
    if (kind.live.size === 0 && kind.making.size === 0) this.#kinds.removeInstances(id.type);
  }

  /** Registers a factory. Throws `already-exists` when the type is taken, and `invalid-argument` when it is not a valid type. */
  addFactory<T extends Agent>(type: string, factory: AgentFactory<T>, options: FactoryOptions<T> = {}): void {
    this.#kinds.addFactory(type, factory, options);
  }

  /** Throws `already-exists` when the type is taken. */
  assertFree(type: string): void {
    this.#kinds.assertFree(type);
  }

  /** Removes a factory, when a host refused the type. The catalog drops its agents and does not close them. */
  removeFactory(type: string): void {
    this.#kinds.removeFactory(type);
  }

  hasType(type: string): boolean {
    return this.#kinds.get(type) !== undefined;
  }

  /** True until a type is registered that is sequential or has a limit. While it is true, no message pays for turns and limits. */
  get isPlain(): boolean {
    return this.#kinds.isPlain;
  }

  /** Whether the agents of a type keep a state. */
  keepsState(type: string): boolean {
    return this.#kinds.keepsState(type);
  }

  /**
   * Ends the activation of an agent whose state is gone: the next message makes another one, and so do those that wait for their turn.
   * Returns false for an instance, which can't be made again.
   */
  forget(id: AgentId, agent: Agent, reason: LostReason): boolean {
    const kind = this.#kinds.get(id.type);
    if (kind?.source.by === "instances") return false;
    if (kind !== undefined) this.#activations.lose(kind, id, agent, reason);
    return true;
  }

  /** Returns the turns of a sequential type. Undefined for other types. */
  turnsOf(type: string): AgentTurns | undefined {
    return this.#kinds.get(type)?.turns;
  }

  oldestWaitMs(nowMs: number): number {
    return this.#kinds.oldestWaitMs(nowMs);
  }

  /** Whether a shared type was ever registered. While it is false, no message pays for shared types. */
  get hasShared(): boolean {
    return this.#kinds.hasShared;
  }

  /** Returns the terms under which this runtime shares the type with others. Undefined for a type that is not shared. */
  sharingOf(type: string): SharingTerms | undefined {
    return this.#kinds.get(type)?.sharing;
  }

  /** Whether handlers of the type hear who calls. */
  tellsPrincipal(type: string): boolean {
    return this.#kinds.get(type)?.tellsPrincipal === true;
  }

  /** Returns the message types that agents of a type take, as their class or their closure declares them. Empty: it declares none. */
  messagesOf(type: string): readonly HandledType[] {
    const source = this.#kinds.get(type)?.source;
    if (source === undefined) return [];
    return source.by === "factory"
      ? handledTypesOf(source.expectedClass, source.factory)
      : handledTypesOf(source.prototype.constructor, undefined);
  }

  /** Returns the registered types, in the order of their registration. */
  types(): string[] {
    return [...this.#kinds.all.keys()];
  }

  /** Returns the live agent, else a promise of the one that is being made. Throws or rejects with `not-found` for an unknown type. */
  agentFor(id: AgentId): Agent | Promise<Agent> {
    const kind = this.#kinds.get(id.type);
    if (kind === undefined) throw agentNotFound(id);
    return kind.live.get(id.key) ?? kind.making.get(id.key) ?? this.#activations.begin(kind, id);
  }

  /** Ends every activation of an agent that its host takes back. See `Departures.release`. */
  async release(id: AgentId, reason: DeactivationReason, isCurrent: () => boolean): Promise<void> {
    const kind = this.#kinds.get(id.type);
    if (kind !== undefined) await this.#activations.departures.release(kind, id, reason, isCurrent);
  }

  /** A message has come for an agent whose end was asked of its host, for idleness or a cap: the agent stays. */
  stays(id: AgentId): void {
    const kind = this.#kinds.get(id.type);
    if (kind !== undefined) this.#activations.stays(kind, id.key);
  }

  /** The host has placed the agent here anew: a present activation is worthless, and the messages that wait for it go to the next one. */
  supersede(id: AgentId): void {
    const kind = this.#kinds.get(id.type);
    if (kind !== undefined) this.#activations.supersede(kind, id);
  }

  /** Whether the agent is live, is being made or is ending. */
  isPresent({ type, key }: AgentId): boolean {
    const kind = this.#kinds.get(type);
    return kind !== undefined && (kind.live.has(key) || kind.making.has(key) || kind.ending.has(key));
  }

  /** Whether the agent was dropped while it was being made: messages that waited for it go to the next one. */
  isDropped(agent: Agent): boolean {
    return this.#activations.isDropped(agent);
  }

  /** Runs `use`. The agent is not deactivated meanwhile for being idle, or for a cap. */
  inUse(id: AgentId, use: () => unknown): unknown {
    const kind = this.#kinds.get(id.type);
    return kind?.tracked === undefined ? use() : this.#activations.inUse(kind, id.key, use);
  }

  isLive(id: AgentId): boolean {
    return this.peek(id) !== undefined;
  }

  /**
   * Ends the activation of an agent when its running turns have ended, and resolves when it has ended. Does nothing for one that is not
   * live. `destroyed` deletes its state, too. Rejects with `not-found` for an unknown type, and with `invalid-argument` for an instance.
   */
  async deactivate(id: AgentId, reason: DeactivationReason): Promise<void> {
    const kind = this.#kinds.get(id.type);
    if (kind === undefined) throw agentNotFound(id);
    if (kind.source.by === "factory") {
      const ended = this.#activations.departures.deactivate(kind, id, reason);
      if (reason === "destroyed") this.#options.onDestroying?.(id, ended);
      return ended;
    }
    const text = `${id} was registered as an instance, and no factory could make it again. Only agents of factories are deactivated.`;
    throw new TroupeError("invalid-argument", text);
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

  /** Returns all live agents with their ids. */
  *liveAgents(): IterableIterator<readonly [id: AgentId, agent: Agent]> {
    for (const [type, kind] of this.#kinds.all) {
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
    return this.#saved.save(id);
  }

  /** Gives an agent a state. A persistent agent takes it in a turn of its own, and commits it. */
  loadState(id: AgentId, state: AgentState): Promise<void> {
    return this.#saved.load(id, state);
  }

  /** Resolves to the states of all live agents by `type/key`. */
  saveAll(): Promise<AgentState> {
    return this.#saved.saveAll();
  }

  /** Loads what `saveAll` returned, and makes agents as needed. It ignores agents of types that are not registered. */
  loadAll(states: AgentState): Promise<void> {
    return this.#saved.loadAll(states);
  }

  /** Agents that `close` has not ended yet: those that are still being made, and those whose own `close` runs. */
  get unended(): readonly UnendedAgent[] {
    return this.#activations.unended;
  }

  /** The host is lost that keeps the states: each agent asks for its state again before its next turn. */
  hostLost(): void {
    this.#options.states?.doubt?.();
  }

  /**
   * Drops every agent of a shared type, live or being made: the next message makes it anew. Nothing of it is saved. A handler that runs
   * continues; that of a persistent agent commits nothing any more. Resolves when they are closed. `moved`: other workers may get them.
   */
  async dropShared(reason: DropReason = "stale"): Promise<void> {
    if (!this.#kinds.hasShared) return;
    const ended: (readonly Promise<void>[])[] = [];
    for (const [type, kind] of this.#kinds.all) {
      if (kind.sharing !== undefined) ended.push(this.#activations.drop(type, kind, reason));
    }
    await Promise.allSettled(ended.flat());
  }

  /**
   * Ends every activation once, also those that are just beginning, and removes them at once. So a factory that ends later puts nothing
   * into the next run, and this close ends nothing of that run. Factories stay; the types of instances end. When an agent's
   * `close` throws, the catalog still closes the others. Then it rejects with that error, or with an `AggregateError` of several.
   */
  close(): Promise<void> {
    return allClosed(this.#end(undefined));
  }

  /** Does what `close` does in two steps: the agents have their last words now, and are closed later. */
  beginClose(): CatalogEnd {
    return endInSteps((mayClose) => this.#end(mayClose));
  }

  #end(mayClose: Promise<void> | undefined): ActivationEnds {
    const ends = this.#activations.close(mayClose);
    this.#saved.endAll();
    this.#options.longWaits?.close();
    for (const [type, { source }] of this.#kinds.all) {
      if (source.by !== "instances") continue;
      this.#kinds.removeInstances(type);
      this.#options.onTypeGone?.(type);
    }
    for (const onClose of this.#onClose) onClose();
    this.#onClose.clear();
    return ends;
  }
}

// The first sentence is Python's: protocol.md §5.3.
/** Makes the error for an agent whose type is not registered in the runtime that is asked. */
export function agentNotFound({ type, key }: AgentId): TroupeError {
  const advice = `To reach ${type}/${key}, register its agent type in this runtime, or correct the id.`;
  return new TroupeError("not-found", `Agent with name ${type} not found. ${advice}`);
}
