import type { AgentRuntime } from "../../agent-runtime.ts";
import type { Agent, AgentState } from "../../agents/agent.ts";
import { AgentId } from "../../agents/agent-id.ts";
import type { TurnKind } from "../../agents/turns.ts";
import type { HandlerContext } from "../handler-context.ts";
import type { Layer } from "../layers.ts";
import type { TurnLease } from "../turn-lease.ts";
import { OwnTurns } from "../turns/own-turn.ts";
import type { AgentKinds } from "./agent-kinds.ts";

export interface SavedStatesOptions {
  readonly runtime: AgentRuntime;
  readonly kinds: AgentKinds;
  readonly commitLayer: Layer | undefined;
  /** The lease under which agents give and take their states. Undefined: they need none. */
  readonly lease: TurnLease | undefined;
  /** Resolves to the agent, and makes it if needed. */
  readonly made: (id: AgentId) => Promise<Agent>;
  /** Returns the live agent. */
  readonly peek: (id: AgentId) => Agent | undefined;
  /** Runs a function while the agent stays live. */
  readonly inUse: (id: AgentId, run: () => unknown) => unknown;
  readonly liveAgents: () => Iterable<readonly [id: AgentId, agent: Agent]>;
}

/** Saves and loads the states of agents as AutoGen does: as values. Persistent agents give and take theirs in turns. */
export class SavedStates {
  readonly #options: SavedStatesOptions;
  readonly #turns = new OwnTurns();

  constructor(options: SavedStatesOptions) {
    this.#options = options;
  }

  /** Returns the contexts of these turns at an agent. */
  contextsAt(id: AgentId): Iterable<HandlerContext> {
    return this.#turns.at(id);
  }

  /** The runtime has ended. */
  endAll(): void {
    this.#turns.endAll();
  }

  /** Resolves to an agent's state. A persistent agent gives it in a turn that reads. */
  save(id: AgentId): Promise<AgentState> {
    return this.#inTurn(id, "reading", (agent) => agent.saveState());
  }

  /** Gives an agent a state. A persistent agent takes it in a turn of its own, and commits it. */
  load(id: AgentId, state: AgentState): Promise<void> {
    return this.#inTurn(id, "alone", (agent) => agent.loadState(state));
  }

  /** Resolves to the states of all live agents by `type/key`. */
  async saveAll(): Promise<AgentState> {
    const states: Record<string, unknown> = {};
    for (const [id, agent] of [...this.#options.liveAgents()]) {
      const isPersistent = this.#options.kinds.keepsState(id.type);
      states[id.toString()] = await (isPersistent ? this.save(id) : agent.saveState());
    }
    return states;
  }

  /** Loads what `saveAll` returned, and makes agents as needed. It ignores agents of types that are not registered. */
  async loadAll(states: AgentState): Promise<void> {
    for (const [text, state] of Object.entries(states)) {
      const id = AgentId.parse(text);
      // Only the agent knows the shape of its state, and checks what it loads.
      if (this.#options.kinds.get(id.type) !== undefined) await this.load(id, state as AgentState);
    }
  }

  async #inTurn<T>(id: AgentId, kind: TurnKind, run: (agent: Agent) => T | Promise<T>): Promise<T> {
    const { commitLayer, runtime, kinds, peek, inUse, lease } = this.#options;
    const body = (agent: Agent) => {
      const lent = lease?.wait();
      return lent === undefined ? run(agent) : lent.then(() => run(agent));
    };
    const agent = await this.#options.made(id);
    const isPersistent = commitLayer !== undefined && kinds.keepsState(id.type);
    if (!isPersistent) return (await inUse(id, () => body(agent))) as T;
    const turns = kinds.get(id.type)?.turns;
    const made = () => this.#options.made(id);
    const use = { made, peek: () => peek(id), inUse: (run: () => unknown) => inUse(id, run) };
    return this.#turns.run({ id, runtime, kind, turns, commitLayer, body, ...use });
  }
}
