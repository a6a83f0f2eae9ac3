import type { AgentRuntime, MessageStreamOptions, SendOptions, SendOptionsWithAnswer } from "../agent-runtime.ts";
import { brandClass } from "../copies.ts";
import type { AnswerOf, ChunkOf } from "../serialization/message-type.ts";
import type { Sendable } from "../serialization/sendable.ts";
import type { MessageStream } from "../streaming/message-stream.ts";
import { assertAgentId, assertRuntime } from "../validation/assert-arguments.ts";
import type { WaitOptions } from "../wait-options.ts";
import type { AgentMetadata, AgentState } from "./agent.ts";
import type { AgentId } from "./agent-id.ts";

/** Stands for an agent of any runtime or worker: its id, and the runtime that carries what you send to it. */
// protocol.md §5.5
export class AgentProxy {
  readonly id: AgentId;
  readonly #runtime: AgentRuntime;

  constructor(id: AgentId, runtime: AgentRuntime) {
    assertAgentId(id, "id of a proxy");
    assertRuntime(runtime);
    this.id = id;
    this.#runtime = runtime;
  }

  /** The agent's metadata. Each read asks the runtime. */
  get metadata(): Promise<AgentMetadata> {
    return this.#runtime.agentMetadata(this.id);
  }

  /** Calls the agent and resolves to its answer, as `AgentRuntime.sendMessage` does. */
  sendMessage<Answer, Message = unknown>(
    message: Sendable<Message>,
    options: SendOptionsWithAnswer<Answer>,
  ): Promise<Answer>;
  sendMessage<Message>(message: Sendable<Message>, options?: SendOptions): Promise<AnswerOf<Message>>;
  sendMessage(message: unknown, options?: SendOptions): Promise<unknown> {
    return this.#runtime.sendMessage(message, this.id, options);
  }

  /** Calls the agent, whose answer comes in parts, as `AgentRuntime.stream` does. */
  stream<Message>(
    message: Sendable<Message>,
    options?: MessageStreamOptions,
  ): MessageStream<ChunkOf<Message>, AnswerOf<Message>> {
    return this.#runtime.stream<Message>(message, this.id, options);
  }

  /** Resolves to the agent's state. */
  saveState(options?: WaitOptions): Promise<AgentState> {
    return this.#runtime.agentSaveState(this.id, options);
  }

  /** Gives the agent a state that `saveState` returned. */
  loadState(state: AgentState, options?: WaitOptions): Promise<void> {
    return this.#runtime.agentLoadState(this.id, state, options);
  }
}
brandClass(AgentProxy, "AgentProxy");
