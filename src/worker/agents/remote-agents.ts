import {
  type AgentId,
  type AgentMetadata,
  type AgentState,
  type Clock,
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
import { sleepMs } from "../connection/time-limits.ts";
import type { ControlChannel } from "../control/control-channel.ts";
import { formatState, parseState } from "../control/state-text.ts";

export interface RemoteAgentsOptions {
  readonly control: ControlChannel;
  readonly clock: Clock;
  /** Ends the wait for an answer. */
  readonly signal: AbortSignal | undefined;
}

/** Times that a request is sent whose agent leaves its worker. A host holds it until the agent has another place. */
const mostAttempts = 5;
/** Milliseconds before the second attempt, for a host that does not know yet that the agent leaves. Each further wait is twice as long. */
const firstWaitMs = 20;

/** Reaches agents on other workers over the control channel. Python's workers never open one, so they do not answer. */
export class RemoteAgents {
  readonly #options: RemoteAgentsOptions;

  constructor(options: RemoteAgentsOptions) {
    this.#options = options;
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

  // protocol.md §11.17
  /** Asks again where the worker has answered that its agent leaves it: nothing has happened there. */
  async #ask(id: AgentId, request: ControlRequest): Promise<ControlAnswer> {
    const { control, clock, signal } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await control.request(agentDestination(id), request, signal);
      const error = answer.error ?? "";
      if (error === "") return answer;
      const { code, text } = parseControlError(error);
      if (code === undefined) throw new NotAccessibleError(explained(text, id));
      if (code !== "shutting-down" || attempt === mostAttempts) throw new TroupeError(code, explained(text, id));
      await sleepMs(firstWaitMs * 2 ** (attempt - 1), clock, signal);
    }
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
