import type {
  Agent,
  AgentId,
  AgentMetadata,
  AgentRuntime,
  AgentState,
  MessageContext,
} from "../../../src/core/index.ts";

export type OnMessage = (message: unknown, context: MessageContext, agent: FunctionAgent) => unknown;

/** An agent that is one function, and remembers its state and its end. */
export class FunctionAgent implements Agent {
  state: AgentState = {};
  closedTimes = 0;
  readonly #onMessage: OnMessage;
  #id: AgentId | undefined;
  #runtime: AgentRuntime | undefined;

  constructor(onMessage: OnMessage = () => undefined) {
    this.#onMessage = onMessage;
  }

  get id(): AgentId {
    if (this.#id === undefined) throw new Error("not bound");
    return this.#id;
  }

  get runtime(): AgentRuntime {
    if (this.#runtime === undefined) throw new Error("not bound");
    return this.#runtime;
  }

  get metadata(): AgentMetadata {
    return { type: this.id.type, key: this.id.key, description: "a function" };
  }

  bindIdAndRuntime(id: AgentId, runtime: AgentRuntime): void {
    this.#id = id;
    this.#runtime = runtime;
  }

  onMessage(message: unknown, context: MessageContext): unknown {
    return this.#onMessage(message, context, this);
  }

  saveState(): AgentState | Promise<AgentState> {
    return this.state;
  }

  loadState(state: AgentState): void {
    this.state = state;
  }

  close(): void {
    this.closedTimes += 1;
  }
}
