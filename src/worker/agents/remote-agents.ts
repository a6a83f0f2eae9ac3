import {
  type AgentId,
  type AgentMetadata,
  type AgentState,
  NotAccessibleError,
  TroupeError,
} from "../../core/internal.ts";
import {
  agentDestination,
  type ControlAnswer,
  type ControlRequest,
  parseControlError,
  toWireAgentId,
} from "../../protocol/internal.ts";
import type { ControlChannel } from "../control/control-channel.ts";
import { formatState, parseState } from "../control/state-text.ts";

/** Reaches agents on other workers over the control channel. Python's workers never open one, so they do not answer. */
export class RemoteAgents {
  readonly #control: ControlChannel;
  /** Ends the wait for an answer. */
  readonly #signal: AbortSignal | undefined;

  constructor(control: ControlChannel, signal: AbortSignal | undefined) {
    this.#control = control;
    this.#signal = signal;
  }

  /** Whether a worker with a control channel serves the type; makes no agent. */
  async isServed(id: AgentId): Promise<boolean> {
    try {
      await this.#ask(id, { kind: "metadata-request", agentId: toWireAgentId(id), onlyIfServed: true });
      return true;
    } catch {
      return false;
    }
  }

  async metadata(id: AgentId): Promise<AgentMetadata> {
    const request = { kind: "metadata-request", agentId: toWireAgentId(id), onlyIfServed: false } as const;
    const answer = await this.#ask(id, request);
    if (answer.kind !== "metadata-response") throw wrongAnswer(id, answer);
    return { type: answer.type, key: answer.key, description: answer.description };
  }

  async saveState(id: AgentId): Promise<AgentState> {
    const answer = await this.#ask(id, { kind: "save-request", agentId: toWireAgentId(id) });
    if (answer.kind !== "save-response") throw wrongAnswer(id, answer);
    return parseState(answer.state, id);
  }

  async loadState(id: AgentId, state: AgentState): Promise<void> {
    const text = formatState(state, id);
    const answer = await this.#ask(id, { kind: "load-request", agentId: toWireAgentId(id), state: text });
    if (answer.kind !== "load-response") throw wrongAnswer(id, answer);
  }

  /** Ends the activation of the agent, and deletes what is kept of it if it is to be destroyed. */
  async deactivate(id: AgentId, how: "deactivate" | "destroy"): Promise<void> {
    const answer = await this.#ask(id, { kind: `${how}-request`, agentId: toWireAgentId(id) });
    if (answer.kind !== `${how}-response`) throw wrongAnswer(id, answer);
  }

  async #ask(id: AgentId, request: ControlRequest): Promise<ControlAnswer> {
    const answer = await this.#control.request(agentDestination(id), request, this.#signal);
    const error = answer.error ?? "";
    if (error === "") return answer;
    const { code, text } = parseControlError(error);
    throw code === undefined ? new NotAccessibleError(explained(text, id)) : new TroupeError(code, explained(text, id));
  }
}

/** Returns the text of an error answer, with what to do where no worker is there. */
function explained(error: string, id: AgentId): string {
  // Texts of the host itself name the agent already.
  if (!error.includes(`${id}`)) return `${id} on another worker: ${error}`;
  return error.endsWith(`serves the agent type ${id.type}.`)
    ? `${error} Start a worker that registers the type, or correct the id.`
    : error;
}

function wrongAnswer(id: AgentId, answer: ControlAnswer): Error {
  return new NotAccessibleError(`${id} was answered for with a ${answer.kind}, which was not asked for.`);
}
