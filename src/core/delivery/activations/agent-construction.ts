import type { AgentRuntime } from "../../agent-runtime.ts";
import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { ActivationContext } from "../../agents/agent-life.ts";
import type { AmbientContexts } from "../../ambient-contexts.ts";
import { errorText, TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { MessageLogSink } from "../../message-log-records.ts";
import { loggableError, loggableText } from "../loggable.ts";
import { emitRecord } from "../message-log.ts";
import { type AgentKind, assertPromisedClass, type ClassCheck } from "./agent-kind.ts";

export interface AgentConstructionOptions {
  /** The runtime to which agents are bound. */
  readonly runtime: AgentRuntime;
  readonly ambient: AmbientContexts | undefined;
  readonly messageLog: MessageLogSink | undefined;
  readonly logger: RuntimeLog | undefined;
  readonly classCheck: ClassCheck;
}

const notRegisteredInstance =
  "Agent factory was invoked for an agent instance that was not registered. This is likely due to the agent type being " +
  "incorrectly subscribed to a topic. If it happens when publishing to the default topic, turn on " +
  "skipClassSubscriptions when registering the agent.";

/** Makes agents by their factories, and reports what fails. */
export class AgentConstruction {
  readonly #options: AgentConstructionOptions;

  constructor(options: AgentConstructionOptions) {
    this.#options = options;
  }

  /** Resolves to the agent, which is not bound yet. Calls the factory before it returns. */
  async construct({ source }: AgentKind, id: AgentId): Promise<Agent> {
    if (source.by === "instances") throw new TroupeError("not-found", notRegisteredInstance);
    const { runtime, ambient, classCheck } = this.#options;
    const context = { id, runtime };
    const build = async () => source.factory(context);
    const agent = await (ambient === undefined ? build() : ambient.inFactory(context, build));
    assertPromisedClass(agent, id, source.expectedClass, classCheck);
    return agent;
  }

  /** Logs a failure; `doing` is what failed. */
  report(id: AgentId, doing: string, error: unknown): void {
    const { logger, messageLog } = this.#options;
    const text = loggableText(`Error ${doing} agent ${id}: ${errorText(error)}`);
    const fields = { agent: loggableText(id.toString()), error: loggableError(error) };
    logger?.error(text, fields, `Error ${doing} an agent of type ${id.type}`);
    if (messageLog === undefined) return;
    const exception = errorText(error);
    emitRecord(messageLog, { type: "AgentConstructionException", agent_id: id.toString(), exception });
  }
}

/** The context of an activation that begins. It makes the signal on first use. */
export class Beginning implements ActivationContext {
  isNew = true;
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}
