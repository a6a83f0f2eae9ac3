// Over 400 lines: the one table of the agents of a runtime; all that can stand apart is in the files beside it.
import type { AgentRuntime } from "../../agent-runtime.ts";
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "../../agents/agent.ts";
import { AgentId, assertAgentType } from "../../agents/agent-id.ts";
import { classLife, type DeactivationReason, type LifeOptions } from "../../agents/agent-life.ts";
import { type SharingOptions, type SharingTerms, sharingTerms } from "../../agents/sharing.ts";
import {
  assertMayRunAhead,
  classConcurrency,
  classRunAhead,
  type TurnKind,
  type TurnOptions,
} from "../../agents/turns.ts";
import type { AmbientContexts } from "../../ambient-contexts.ts";
import { type Clock, systemClock } from "../../clock.ts";
import { TroupeError, UndeliverableException } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { MessageLogSink } from "../../message-log-records.ts";
import { type CallPath, noPath } from "../../scope/call-path.ts";
import { effectsOf, type TurnEffects } from "../../state/effects.ts";
import { assertAgentId } from "../../validation/assert-arguments.ts";
import type { HandlerContext } from "../handler-context.ts";
import type { Delivery, Layer } from "../layers.ts";
import { AgentTurns } from "../turns/agent-turns.ts";
import type { LongWaits } from "../turns/long-waits.ts";
import { OwnTurns } from "../turns/own-turn.ts";
import { RunningPaths } from "../turns/running-paths.ts";
import { type ActivationCounters, createActivationCounters } from "./activation-counters.ts";
import type { ActivationStates } from "./activation-states.ts";
import type { TimerMessage } from "./activation-timers.ts";
import { type ActivationEnds, Activations, type LostReason } from "./activations.ts";
import {
  type AgentKind,
  assertAgent,
  assertFactory,
  type ClassCheck,
  classNameOf,
  createAgentKind,
} from "./agent-kind.ts";
import type { UnendedAgent } from "./deactivations.ts";
import { LiveAgents } from "./live-agents.ts";

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
  readonly states?: ActivationStates | undefined;
  /** The layer around the turns of persistent agents. Set together with `states`. */
  readonly commitLayer?: Layer | undefined;
  /** Default: the clock of the system. */
  readonly clock?: Clock | undefined;
  /** Counts of activations. Default: the catalog's own. */
  readonly counts?: ActivationCounters | undefined;
  /** Largest number of live agents that factories make. Default: any number. */
  readonly maxLiveAgents?: number | undefined;
  /** Milliseconds that an agent has for `onDeactivate` and the last commit, and for `close`. Default: 5 000. */
  readonly deactivationTimeoutMs?: number | undefined;
  /** Returns the contexts of the messages that an agent handles, or that wait for their turn there. Default: none. */
  readonly contextsAt?: ((id: AgentId) => readonly HandlerContext[]) | undefined;
  /** Delivers the message of a timer as a turn of its agent. Default: it is dropped. */
  readonly deliverTimer?: ((message: TimerMessage) => void) | undefined;
  /** Called for each type that ends with its instances when the catalog closes. */
  readonly onTypeGone?: ((type: string) => void) | undefined;
}

/** The end of a catalog in two steps. */
export interface CatalogEnd {
  /** Resolves when every live agent has had its last word (`onDeactivate`) and that is saved. Never rejects. Undefined: they had. */
  readonly lastWords: Promise<unknown> | undefined;
  /** Closes the agents. Call it when nothing that they need is left to wait for. */
  close(): Promise<void>;
}

/** Milliseconds without a turn after which an agent that keeps a state is deactivated. */
const idleWithStateMs = 600_000;

// protocol.md §5.3
/** The agents that live in one runtime, and the factories that make the others. */
export class AgentCatalog {
  readonly #options: AgentCatalogOptions;
  readonly #kinds = new Map<string, AgentKind>();
  readonly #clock: Clock;
  readonly #activations: Activations;
  /** Ends the waits of `made`. */
  readonly #onClose = new Set<() => void>();
  #hasShared = false;
  /** Types whose agents keep a state. */
  readonly #persistentTypes = new Set<string>();
  /** The turns in which states are saved and loaded. */
  readonly #ownTurns = new OwnTurns();
  #isPlain = true;
  #lastToken = 0;
  /** The running handlers for whose calls turns wait. */
  readonly paths = new RunningPaths();

  constructor(options: AgentCatalogOptions) {
    const { runtime, ambient, messageLog, logger, states, classCheck = "subclass" } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#activations = new Activations({
      ...{ runtime, ambient, messageLog, logger, states, classCheck },
      clock: this.#clock,
      counts: options.counts ?? createActivationCounters(),
      maxLiveAgents: options.maxLiveAgents ?? Number.POSITIVE_INFINITY,
      deactivationTimeoutMs: options.deactivationTimeoutMs ?? 5_000,
      kinds: this.#kinds,
      contextsAt: (id) => [...(options.contextsAt?.(id) ?? []), ...this.#ownTurns.at(id)],
      deliverTimer: options.deliverTimer ?? (({ onEnd }) => onEnd()),
      onStateFound: (type) => {
        this.#persistentTypes.add(type);
        this.#isPlain = false;
      },
    });
  }

  /** The runtime that owns the agents. */
  get runtime(): AgentRuntime {
    return this.#options.runtime;
  }

  /** Registers a factory. Throws `already-exists` when the type is taken, and `invalid-argument` when it is not a valid type. */
  addFactory<T extends Agent>(
    type: string,
    factory: AgentFactory<T>,
    options: { readonly expectedClass?: ClassOf<T> | undefined } & TurnOptions & LifeOptions & SharingOptions = {},
  ): void {
    assertAgentType(type);
    assertFactory(type, factory);
    this.assertFree(type);
    const { expectedClass } = options;
    const turns = this.#createTurns(type, expectedClass, options);
    const life = this.#createLife(expectedClass, options, this.#persistentTypes.has(type));
    if (turns !== undefined || life.tracked !== undefined) this.#isPlain = false;
    const sharing = sharingTerms(options, expectedClass);
    if (sharing !== undefined) this.#hasShared = true;
    this.#kinds.set(type, createAgentKind({ by: "factory", factory, expectedClass }, { turns, sharing, ...life }));
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
    const home = kind ?? this.#createInstances(id.type, agent, options);
    this.#kinds.set(id.type, home);
    try {
      const activated = this.#activations.activate(agent, id, { isInstance: true });
      await this.#activations.keepWhileMade(home, id.key, activated);
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
    if (kind.live.size === 0 && kind.making.size === 0) this.#kinds.delete(id.type);
  }

  hasType(type: string): boolean {
    return this.#kinds.has(type);
  }

  /** Whether no type was ever registered that is sequential or has a limit. Then no message pays for turns and limits. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** Whether the agents of a type keep a state. */
  keepsState(type: string): boolean {
    return this.#persistentTypes.has(type);
  }

  /** Returns the effects of the turn of a persistent agent that runs. Undefined: what the sender publishes leaves at once. */
  effectsOf(sender: AgentId | undefined): TurnEffects | undefined {
    if (sender === undefined || !this.#persistentTypes.has(sender.type)) return undefined;
    const agent = this.peek(sender) ?? this.#options.states?.activating?.(sender);
    return agent === undefined ? undefined : effectsOf(agent);
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
    return kind.live.get(id.key) ?? kind.making.get(id.key) ?? this.#activations.begin(kind, id);
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
    if (kind.source.by === "factory") return this.#activations.deactivate(kind, id, reason);
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
    return this.#activations.unended;
  }

  /**
   * Drops every agent of a shared type, live or being made: the next message makes it anew. Nothing of it is saved. A handler that runs
   * continues; that of a persistent agent commits nothing any more. Resolves when they are closed.
   */
  async dropShared(): Promise<void> {
    if (!this.#hasShared) return;
    const ended: Promise<void>[] = [];
    for (const [type, kind] of this.#kinds) {
      if (kind.sharing !== undefined) ended.push(...this.#activations.drop(type, kind));
    }
    await Promise.allSettled(ended);
  }

  /**
   * Ends every activation once, also those that are just beginning, and removes them at once. So a factory that ends later puts nothing
   * into the next run, and this close ends nothing of that run. Factories stay; the types of instances end. When an agent's
   * `close` throws, the catalog still closes the others. Then it rejects with that error, or with an `AggregateError` of several.
   */
  close(): Promise<void> {
    return closed(this.#end(undefined));
  }

  /** Does what `close` does in two steps: the agents have their last words now, and are closed later. */
  beginClose(): CatalogEnd {
    let letClose!: () => void;
    const ends = this.#end(
      new Promise<void>((resolve) => {
        letClose = resolve;
      }),
    );
    const end = closed(ends);
    // Its error is for the one who calls `close`.
    end.catch(() => undefined);
    return {
      lastWords: ends.said.length === 0 ? undefined : Promise.all(ends.said),
      close: () => {
        letClose();
        return end;
      },
    };
  }

  #end(mayClose: Promise<void> | undefined): ActivationEnds {
    const ends = this.#activations.close(mayClose);
    this.#ownTurns.endAll();
    for (const [type, { source }] of this.#kinds) {
      if (source.by !== "instances") continue;
      this.#kinds.delete(type);
      this.#options.onTypeGone?.(type);
    }
    for (const onClose of this.#onClose) onClose();
    this.#onClose.clear();
    return ends;
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
    const tokenOf = this.#options.turnTokenOf ?? (() => String(++this.#lastToken));
    const shared = { paths: this.paths, tokenOf, longWaits: this.#options.longWaits };
    return new AgentTurns(shared, { ...options, runAhead });
  }

  async #inTurn<T>(id: AgentId, kind: TurnKind, body: (agent: Agent) => T | Promise<T>): Promise<T> {
    const { commitLayer, runtime } = this.#options;
    const agent = await this.made(id);
    const isPersistent = commitLayer !== undefined && this.#persistentTypes.has(id.type);
    if (!isPersistent) return (await this.inUse(id, () => body(agent))) as T;
    const turns = this.turnsOf(id.type);
    const made = () => this.made(id);
    const use = { made, peek: () => this.peek(id), inUse: (run: () => unknown) => this.inUse(id, run) };
    return this.#ownTurns.run({ id, runtime, kind, turns, commitLayer, body, ...use });
  }

  #createLife(agentClass: unknown, options: LifeOptions, keepsState: boolean) {
    const ofClass = classLife(agentClass);
    const never = Number.POSITIVE_INFINITY;
    const idleAfterMs = options.idleAfterMs ?? ofClass.idleAfterMs ?? (keepsState ? idleWithStateMs : never);
    const maxLive = options.maxLive ?? ofClass.maxLive ?? never;
    const { maxLiveAgents = never } = this.#options;
    const isLimited = [idleAfterMs, maxLive, maxLiveAgents].some(Number.isFinite);
    const tracked = isLimited ? new LiveAgents(() => this.#clock.now()) : undefined;
    return { limits: { idleAfterMs, maxLive }, tracked };
  }

  #createInstances(type: string, agent: Agent, options: TurnOptions): AgentKind {
    const turns = this.#createTurns(type, agent.constructor, options);
    if (turns !== undefined) this.#isPlain = false;
    return createAgentKind({ by: "instances", prototype: Object.getPrototypeOf(agent) }, { turns });
  }
}

async function closed({ ended }: ActivationEnds): Promise<void> {
  const ends = await Promise.allSettled(ended);
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
