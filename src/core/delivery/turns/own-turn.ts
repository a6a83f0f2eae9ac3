import type { AgentRuntime } from "../../agent-runtime.ts";
import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { TurnKind } from "../../agents/turns.ts";
import { UndeliverableException } from "../../errors.ts";
import { ActivationGone } from "../activations/activation-gone.ts";
import { HandlerContext } from "../handler-context.ts";
import type { Delivery, Layer } from "../layers.ts";
import type { AgentTurns } from "./agent-turns.ts";

/** A turn of a persistent agent that no message has: the runtime saves or loads its state. */
export interface OwnTurnOptions<T> {
  readonly id: AgentId;
  readonly runtime: AgentRuntime;
  readonly kind: TurnKind;
  /** The turns of its type. Undefined: its handlers interleave. */
  readonly turns: AgentTurns | undefined;
  readonly commitLayer: Layer;
  /** Resolves to the live agent. */
  readonly made: () => Promise<Agent>;
  /** Returns the live agent. */
  readonly peek: () => Agent | undefined;
  /** Runs a function while the agent stays live. */
  readonly inUse: (run: () => unknown) => unknown;
  readonly body: (agent: Agent) => T | Promise<T>;
}

/** The turns of the runtime's own that run or wait. An agent is not deactivated while one of its own runs. */
export class OwnTurns {
  /** By the agent's id as text. */
  readonly #contexts = new Map<string, Set<HandlerContext>>();

  /** Returns the contexts of those at an agent. */
  at(id: AgentId): Iterable<HandlerContext> {
    return this.#contexts.size === 0 ? [] : (this.#contexts.get(id.toString()) ?? []);
  }

  /** The runtime has ended: those that wait reject with `shutting-down`, and no agent is made for them any more. */
  endAll(): void {
    for (const [id, contexts] of [...this.#contexts]) {
      const text = `The runtime ended before the state of ${id} was saved or loaded.`;
      const error = new UndeliverableException(text, { code: "shutting-down", notHandled: true });
      for (const context of [...contexts]) context.abort(error);
    }
  }

  /** Runs `body` in a turn, and commits it. Tries once more if another program has written the state meanwhile. */
  async run<T>(options: OwnTurnOptions<T>): Promise<T> {
    const { id, made, peek } = options;
    for (let isRepeated = false; ; ) {
      const agent = await made();
      // It may have ended before this continues.
      if (peek() !== agent) continue;
      const unsent = { sender: undefined, topicId: undefined, isRpc: false, messageId: "" };
      const context = new HandlerContext({ ...unsent, agentId: id, runtime: options.runtime });
      this.#add(id, context);
      try {
        return await inTurn(options, agent, context);
      } catch (error) {
        if (!ActivationGone.is(error)) throw error;
        if (context.runEnded !== undefined) throw context.runEnded;
        if (error.isHandled && isRepeated) throw error.error;
        isRepeated ||= error.isHandled;
      } finally {
        this.#delete(id, context);
        context.release();
      }
    }
  }

  #add(id: AgentId, context: HandlerContext): void {
    const name = id.toString();
    const known = this.#contexts.get(name);
    if (known === undefined) this.#contexts.set(name, new Set([context]));
    else known.add(context);
  }

  #delete(id: AgentId, context: HandlerContext): void {
    const name = id.toString();
    const known = this.#contexts.get(name);
    if (known?.delete(context) === true && known.size === 0) this.#contexts.delete(name);
  }
}

async function inTurn<T>(
  { id, kind, turns, commitLayer, inUse, body }: OwnTurnOptions<T>,
  agent: Agent,
  context: HandlerContext,
): Promise<T> {
  const delivery: Delivery = { agentId: id, message: undefined, context, link: undefined };
  const run = (now: Agent) => commitLayer(delivery, () => body(now), now);
  // The layers return what `body` returns.
  return (await inUse(() => (turns === undefined ? run(agent) : turns.inTurn(delivery, run, agent, kind)))) as T;
}
