// One file, since making, dropping and closing an activation change the same tables and must exclude each other.
import type { Agent } from "../../agents/agent.ts";
import { AgentId } from "../../agents/agent-id.ts";
import { type DeactivationReason, offerActivations } from "../../agents/agent-life.ts";
import type { Clock } from "../../clock.ts";
import { TroupeError } from "../../errors.ts";
import { isThenable } from "../../thenable.ts";
import type { HandlerContext } from "../handler-context.ts";
import { isLeaseMissed, type TurnLease } from "../turn-lease.ts";
import type { ActivationCounters } from "./activation-counters.ts";
import type { ActivationStates, PlacedAgents } from "./activation-ports.ts";
import { ActivationTimers, type TimerMessage } from "./activation-timers.ts";
import { AgentConstruction, type AgentConstructionOptions, Beginning } from "./agent-construction.ts";
import type { AgentKind } from "./agent-kind.ts";
import { AgentUses } from "./agent-uses.ts";
import { Deactivations, type UnendedAgent } from "./deactivations.ts";
import { Departures, endedBefore, movedError } from "./departures.ts";
import { LiveLimits } from "./live-limits.ts";

export interface ActivationsOptions extends AgentConstructionOptions {
  readonly clock: Clock;
  readonly counts: ActivationCounters;
  readonly states: ActivationStates | undefined;
  /** The agents that a host has placed here. Undefined: no host places agents in this runtime. */
  readonly placed: PlacedAgents | undefined;
  /** The lease under which factories and `onActivate` run. Undefined: they need none. */
  readonly lease: TurnLease | undefined;
  readonly maxLiveAgents: number;
  readonly deactivationTimeoutMs: number;
  /** Returns the registered types by their name. */
  readonly kinds: ReadonlyMap<string, AgentKind>;
  /** Returns the contexts of the messages that an agent handles, or that wait for their turn there. */
  readonly contextsAt: (id: AgentId) => readonly HandlerContext[];
  /** Delivers the message of a timer as a turn of its agent. */
  readonly deliverTimer: (message: TimerMessage) => void;
  /** Called when an agent is found to keep a state. */
  readonly onStateFound: (type: string) => void;
}

/** The reason for which an activation has lost its state. */
export type LostReason = Extract<DeactivationReason, "stale" | "destroyed">;

/** The reason for which all agents of a type are dropped. `moved`: other workers may get them. */
export type DropReason = Extract<DeactivationReason, "stale" | "moved">;

/** The ends of all activations of a runtime. */
export interface ActivationEnds {
  /**
   * The last words that have not ended. Each promise resolves when an agent has had its own and that is saved. One that is being made has
   * its own later.
   */
  readonly said: readonly Promise<void>[];
  /** Each resolves when an agent is closed, and rejects if its `close` throws. */
  readonly ended: readonly Promise<void>[];
}

/**
 * The activations of one runtime's agents, from the factory to `close`. An agent has one at a time. Messages that come while one ends
 * wait, and go to the next one in their order.
 */
export class Activations {
  readonly #options: ActivationsOptions;
  readonly #construction: AgentConstruction;
  readonly #ends: Deactivations;
  readonly #limits: LiveLimits;
  readonly #uses: AgentUses;
  readonly #timers: ActivationTimers;
  /** Lets activations end in order. */
  readonly departures: Departures;
  /** Agents that are loaded, or whose `onActivate` runs. */
  readonly #beginning = new Map<Agent, Beginning>();
  /** Ends of activations that have lost their state. */
  readonly #losing = new Set<Promise<void>>();
  /** Agents that were dropped while they were being made. */
  readonly #dropped = new WeakSet<Agent>();
  /** The number of closes. An activation that began before the last one makes no agent any more. */
  #closes = 0;

  constructor(options: ActivationsOptions) {
    const { clock, counts, states, logger, kinds, runtime } = options;
    this.#options = options;
    this.#construction = new AgentConstruction(options);
    this.#timers = new ActivationTimers({
      clock,
      isActive: (agent) => this.#beginning.has(agent) || this.#isLive(agent),
      deliver: options.deliverTimer,
    });
    this.#ends = new Deactivations({
      ...{ clock, states, counts, logger },
      timers: this.#timers,
      timeoutMs: options.deactivationTimeoutMs,
    });
    this.#limits = new LiveLimits({
      ...{ clock, counts },
      maxLiveAgents: options.maxLiveAgents,
      kinds: () => kinds.values(),
      isFull: () => this.#ends.isFull,
      isFullForIdleness: () => this.#ends.isFullForIdleness,
      deactivate: (kind, key, reason) => this.#deactivateIdle(kind, key, reason),
    });
    this.#uses = new AgentUses(this.#limits);
    this.departures = new Departures({
      ...{ ends: this.#ends, clock, logger, states, placed: options.placed, contextsAt: options.contextsAt },
      begin: (kind, id) => this.begin(kind, id),
      onGone: (kind) => this.#limits.gone(kind),
    });
    this.#ends.onRoom = () => this.#limits.onRoom();
    offerActivations(runtime, {
      startTimer: (agent, start) => this.#timers.start(agent, start),
      keepActive: (agent, ms) => this.#keepActive(agent, ms),
    });
  }

  /** Agents that `close` has not ended yet, and those that a deactivation has not ended. */
  get unended(): readonly UnendedAgent[] {
    return this.#ends.unended;
  }

  /** Runs `use` so that the agent is not deactivated meanwhile for being idle, or for a cap. */
  inUse(kind: AgentKind, key: string, use: () => unknown): unknown {
    return this.#uses.run(kind, key, use);
  }

  /** Begins the activation of an agent that is neither live nor being made. */
  begin(kind: AgentKind, id: AgentId): Promise<Agent> {
    const made = this.#make(kind, id);
    // No factory makes an instance. One that the user registers in this moment must find its place free.
    return kind.source.by === "instances" ? made : this.keepWhileMade(kind, id, made);
  }

  /**
   * Keeps an agent that is being made. It becomes live in the first reaction to its promise, and waiting messages hold that
   * same promise. They reach the agent in their order, before messages that find it live.
   */
  keepWhileMade(kind: AgentKind, id: AgentId, made: Promise<Agent>): Promise<Agent> {
    const { key } = id;
    kind.making.set(key, made);
    const closes = this.#closes;
    made.then(
      (agent) => {
        // Not if the catalog has dropped it meanwhile: then the agent is closed, and another may be made under its key.
        if (kind.making.get(key) !== made) {
          if (closes === this.#closes) this.#dropped.add(agent);
          return;
        }
        kind.making.delete(key);
        kind.live.set(key, agent);
        if (kind.tracked !== undefined) this.#uses.added(kind, key, made);
      },
      (error: unknown) => {
        if (kind.making.get(key) !== made) return;
        kind.making.delete(key);
        // Its messages go back one by one; the agent itself has not failed.
        if (isLeaseMissed(error)) return;
        this.#options.placed?.spoil(id, isTooNew(error) ? "unfit" : "failed");
      },
    );
    return made;
  }

  /** Binds an agent, loads its state and runs its `onActivate`. If that fails the agent is closed, and the promise rejects. */
  async activate(agent: Agent, id: AgentId, { isInstance = false } = {}): Promise<Agent> {
    const { states, counts, runtime, lease } = this.#options;
    await agent.bindIdAndRuntime(id, runtime);
    const beginning = new Beginning();
    this.#beginning.set(agent, beginning);
    try {
      const isLater = isInstance && states?.loadsInstancesLate === true;
      const loading = isLater ? undefined : states?.load(agent, id);
      if (loading !== undefined) {
        this.#options.onStateFound(id.type);
        beginning.isNew = (await loading).isNew;
      }
      for (let lent = lease?.wait(); lent !== undefined; lent = again(lease)) await lent;
      const activated: unknown = agent.onActivate?.(beginning);
      if (isThenable(activated)) await activated;
      const saving = loading && states?.save(agent);
      if (saving !== undefined) await saving;
    } catch (error) {
      states?.drop(agent);
      this.#timers.end(agent);
      await this.#ends.close(id, agent);
      throw error;
    } finally {
      this.#beginning.delete(agent);
    }
    counts.activations += 1;
    return agent;
  }

  /**
   * Ends an activation at once whose state is gone. The next message makes another one, and so do those that wait for their turn. A turn
   * that still runs can write nothing. Nothing is saved. Of an agent that a host has placed here the host gets the messages back, unless it
   * has placed the agent here anew (`isSuperseded`).
   */
  lose(
    kind: AgentKind,
    id: AgentId,
    agent: Agent,
    reason: LostReason | DropReason,
    { isSuperseded = false } = {},
  ): void {
    const { key } = id;
    const isLive = kind.live.get(key) === agent;
    if (isLive) {
      kind.live.delete(key);
      this.#limits.gone(kind);
    }
    this.departures.lost(agent);
    const { placed } = this.#options;
    const isPlaced = isLive && !isSuperseded && placed?.has(id) === true;
    // Messages that wait for their turn go back to the host.
    if (isPlaced) placed.spoil(id, "stale");
    const next = () => kind.live.get(key) ?? kind.making.get(key) ?? this.begin(kind, id);
    kind.turns?.move(agent, isPlaced ? () => Promise.reject(movedError(id)) : next);
    if (!isLive) return;
    const ended = this.#ends.end(id, agent, reason);
    this.#losing.add(ended);
    // It never rejects.
    void ended.then(() => this.#losing.delete(ended));
  }

  /** Ends all activations of a type at once, also those that are just beginning. Nothing is saved. Returns the ends. */
  drop(type: string, kind: AgentKind, reason: DropReason): readonly Promise<void>[] {
    const ended: Promise<void>[] = [];
    // Before the live ones: the messages that wait there begin activations, which stay.
    for (const key of [...kind.making.keys()]) ended.push(...this.#dropMade(kind, new AgentId(type, key), reason));
    for (const key of [...kind.live].map(([key]) => key)) this.#dropLive(kind, new AgentId(type, key), reason);
    // A call takes some 120,000 arguments at most, and more agents may be lost.
    for (const lost of this.#losing) ended.push(lost);
    return ended;
  }

  /** Does the same for one agent, which its host has placed here anew. The messages that wait for it go to the next activation. */
  supersede(kind: AgentKind, id: AgentId): void {
    // It never rejects.
    for (const ended of this.#dropMade(kind, id, "stale")) void ended;
    this.#dropLive(kind, id, "stale");
  }

  #dropMade(kind: AgentKind, id: AgentId, reason: DropReason): readonly Promise<void>[] {
    const { states } = this.#options;
    const made = kind.making.get(id.key);
    if (made === undefined) return [];
    kind.making.delete(id.key);
    // Callers that wait for an agent which could not be made have the error.
    made.then((agent) => states?.drop(agent)).catch(() => undefined);
    const end = { reason, onSaid: () => undefined, mayClose: undefined } as const;
    return [this.#ends.endForGood(id, made, end)];
  }

  #dropLive(kind: AgentKind, id: AgentId, reason: DropReason): void {
    const agent = kind.live.get(id.key);
    if (agent === undefined) return;
    this.#options.states?.drop(agent);
    this.lose(kind, id, agent, reason, { isSuperseded: true });
  }

  isDropped(agent: Agent): boolean {
    return this.#dropped.has(agent);
  }

  /**
   * Ends every activation once, also those that are just beginning, and removes them at once. So a factory that ends later puts nothing
   * into the next run, and this close ends nothing of that run. Agents are closed after `mayClose`.
   */
  close(mayClose: Promise<void> | undefined): ActivationEnds {
    this.#closes += 1;
    this.#limits.close();
    this.departures.close();
    this.#ends.releaseAll();
    for (const beginning of this.#beginning.values()) beginning.abort(endedBefore("The activation of the agent"));
    const said: Promise<void>[] = [];
    const ended: Promise<void>[] = [];
    for (const [type, kind] of this.#options.kinds) {
      for (const [key, agent] of kind.live) {
        const word = { isSaid: false, onSaid: () => {} };
        const onSaid = () => {
          word.isSaid = true;
          word.onSaid();
        };
        ended.push(this.#ends.endForGood(new AgentId(type, key), agent, { onSaid, mayClose }));
        // Most agents have none, or one that does not wait.
        if (word.isSaid) continue;
        said.push(
          new Promise((resolve) => {
            word.onSaid = resolve;
          }),
        );
      }
      for (const [key, made] of kind.making) {
        ended.push(this.#ends.endForGood(new AgentId(type, key), made, { onSaid: () => undefined, mayClose }));
      }
      for (const ending of kind.ending.values()) ended.push(ending);
      kind.live.clear();
      kind.making.clear();
    }
    for (const lost of this.#losing) ended.push(lost);
    return { said, ended };
  }

  async #make(kind: AgentKind, id: AgentId): Promise<Agent> {
    const mustWait = kind.ending.has(id.key) || (kind.tracked !== undefined && this.#ends.isFull);
    const hasWaited = mustWait && (await this.#untilItMayBegin(kind, id));
    try {
      const lent = this.#options.lease?.wait();
      if (lent !== undefined) await this.#untilLent(lent, id);
      return await this.#construct(kind, id, true);
    } finally {
      if (hasWaited) this.#ends.passOn();
    }
  }

  /** Makes and activates an agent; once more from the beginning if another program has written its state while `onActivate` ran. */
  async #construct(kind: AgentKind, id: AgentId, isFirst: boolean): Promise<Agent> {
    let what = "constructing";
    const closes = this.#closes;
    try {
      const agent = await this.#construction.construct(kind, id);
      what = "activating";
      return await this.activate(agent, id);
    } catch (error) {
      if (isLeaseMissed(error)) throw error;
      const isConflict = what === "activating" && error instanceof TroupeError && error.code === "state-conflict";
      if (isConflict && isFirst && closes === this.#closes) return await this.#construct(kind, id, false);
      this.#construction.report(id, what, error);
      throw error;
    }
  }

  /** Waits for a lease. Rejects if the runtime ends meanwhile. */
  async #untilLent(first: Promise<void>, id: AgentId): Promise<void> {
    const closes = this.#closes;
    const { lease } = this.#options;
    for (let lent: Promise<void> | undefined = first; lent !== undefined; lent = again(lease)) await lent;
    if (closes !== this.#closes) throw endedBefore(`The activation of ${id}`);
  }

  /** Waits for the end of the last activation. If too many deactivations run, it waits for their ends, and returns true. */
  async #untilItMayBegin({ ending, tracked }: AgentKind, id: AgentId): Promise<boolean> {
    const closes = this.#closes;
    await ending.get(id.key);
    let hasWaited = false;
    while (tracked !== undefined && this.#ends.isFull && closes === this.#closes) {
      hasWaited = true;
      await this.#ends.room();
    }
    if (closes !== this.#closes) throw endedBefore(`The activation of ${id}`);
    return hasWaited;
  }

  /** A message has come for an agent whose end was asked of its host, for idleness or a cap: the agent stays. */
  stays(kind: AgentKind, key: string): void {
    this.#uses.stays(kind, key);
  }

  #deactivateIdle(kind: AgentKind, key: string, reason: "idle" | "capacity"): void {
    const { placed } = this.#options;
    const agent = kind.live.get(key);
    if (agent === undefined) return;
    if (placed?.has(agent.id) === true) {
      if (reason === "idle" && placed.isNeeded(agent.id)) return kind.tracked?.touch(kind.tracked.slotOf(key));
      kind.tracked?.leave(kind.tracked.slotOf(key));
      placed.ask(agent.id, reason);
      return;
    }
    // It can't reject: nothing is destroyed.
    void this.departures.end(kind, agent.id, agent, reason);
  }

  #isLive(agent: Agent): boolean {
    const { type, key } = agent.id;
    return this.#options.kinds.get(type)?.live.get(key) === agent;
  }

  #keepActive(agent: Agent, ms: number): void {
    const { type, key } = agent.id;
    if (typeof ms !== "number" || !(ms >= 0)) {
      const text = `keepActive of ${agent.id} takes milliseconds of at least 0, not ${String(ms)}.`;
      throw new TroupeError("invalid-argument", text);
    }
    const kind = this.#options.kinds.get(type);
    if (kind?.tracked === undefined) return;
    const usedMs = this.#options.clock.now() + ms - kind.limits.idleAfterMs;
    if (this.#beginning.has(agent)) this.#uses.keepOnceMade(agent, usedMs);
    else if (kind.tracked.get(key) === agent) kind.tracked.keep(kind.tracked.slotOf(key), usedMs);
  }
}

/** Returns what to wait for if the lease is over again. */
function again(lease: TurnLease | undefined): Promise<void> | undefined {
  return lease === undefined || lease.mayBegin ? undefined : lease.wait();
}

/** Whether the stored state is newer than the class, so that another worker may have the right one. */
function isTooNew(error: unknown): boolean {
  return error instanceof TroupeError && error.code === "state-too-new";
}
