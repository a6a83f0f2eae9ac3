import type { AgentRuntime } from "../agent-runtime.ts";
import type { Agent } from "../agents/agent.ts";
import type { AgentId } from "../agents/agent-id.ts";
import type { TurnKind } from "../agents/turns.ts";
import { ActivationGone } from "./activation-gone.ts";
import type { AgentTurns } from "./agent-turns.ts";
import { HandlerContext } from "./handler-context.ts";
import type { Delivery, Layer } from "./layers.ts";

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
  /** Runs a function while the agent stays live. */
  readonly inUse: (run: () => unknown) => unknown;
  readonly body: (agent: Agent) => T | Promise<T>;
}

/** Runs `body` in a turn, and commits it. Tries once more if another program has written the state meanwhile. */
export async function inOwnTurn<T>(options: OwnTurnOptions<T>): Promise<T> {
  const { id, runtime, kind, turns, commitLayer, made, inUse, body } = options;
  for (let isRepeated = false; ; ) {
    const agent = await made();
    const unsent = { sender: undefined, topicId: undefined, isRpc: false, messageId: "" };
    const context = new HandlerContext({ ...unsent, agentId: id, runtime });
    const delivery: Delivery = { agentId: id, message: undefined, context, link: undefined };
    const run = (now: Agent) => commitLayer(delivery, () => body(now), now);
    const inTurn = () => (turns === undefined ? run(agent) : turns.inTurn(delivery, run, agent, kind));
    try {
      // The layers return what `body` returns.
      return (await inUse(inTurn)) as T;
    } catch (error) {
      if (!ActivationGone.is(error)) throw error;
      if (error.isHandled && isRepeated) throw error.error;
      isRepeated ||= error.isHandled;
    }
  }
}
