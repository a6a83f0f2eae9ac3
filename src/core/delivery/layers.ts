import type { Agent } from "../agents/agent.ts";
import type { AgentId } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import type { HandlerInterceptor } from "../interceptor.ts";
import { isChunkGenerator, pour } from "../streaming/pour.ts";
import type { TraceCarrier } from "../tracing.ts";
import type { AgentCatalog } from "./activations/agent-catalog.ts";
import type { HandlerContext } from "./handler-context.ts";
import type { TurnSlot } from "./turns/message-turn.ts";

/** One message on its way to one agent. A runtime adds its own fields to the same object. */
export interface Delivery {
  readonly agentId: AgentId;
  readonly message: unknown;
  /** Names the topic of an event; a call has none. */
  readonly context: HandlerContext;
  /** The trace context that came with the message. */
  readonly link: TraceCarrier | undefined;
  /** Its handler slot, in a runtime that bounds its handlers. Set only for a message to a sequential agent. */
  readonly handlerSlot?: TurnSlot | undefined;
  /**
   * Gives the message back to the host that has placed its agent here. `conflict`: its handler has run, and another program had written the
   * state. False: a turn of the agent waits for the message, which can go nowhere else. Undefined: no host has placed the agent.
   */
  readonly giveBack?: ((reason: GiveBackReason) => boolean) | undefined;
  /** When it came, by the clock of the runtime's lease. Undefined: no lease was needed then. */
  readonly arrivedMs?: number | undefined;
  /** Names the message for the agent, which remembers it. Set only for a call with an `idempotencyKey`, and for mail. */
  readonly kept?: { readonly id: string; readonly principal: string; readonly isMail?: boolean } | undefined;
}

/** Reason for which a message goes back to its host. `no-lease`, `too-old`: no handler may begin it here any more. */
export type GiveBackReason = "leaving" | "conflict" | "no-lease" | "too-old";

/**
 * Code around a handler. It returns the result of `next` or another value, and throws to refuse the message. `next` runs the
 * layer inside it; the last layer runs the handler. Both may throw at once or return a promise.
 */
export type Layer = (delivery: Delivery, next: () => unknown, agent: Agent) => unknown;

/** Gives a delivery to an agent: the handler, with the layers around it. */
export type Handle = (agent: Agent, delivery: Delivery) => unknown;

export interface LayerOptions {
  /** Sets the ambient handler context around the handler. */
  readonly ambient?: AmbientContexts | undefined;
  readonly interceptors?: readonly HandlerInterceptor[] | undefined;
}

/** Returns the layers of a runtime's options, outermost first: ambient context, the user's interceptors. */
export function createLayers({ ambient, interceptors = [] }: LayerOptions): Layer[] {
  const layers: Layer[] = [];
  if (ambient !== undefined) layers.push(({ context }, next, agent) => ambient.inHandler(agent.id, next, context));
  return [...layers, ...interceptors.map(layerOf)];
}

/**
 * Puts the layers around `handle` that only some types need. The outermost one keeps the agent live while it is in use. The other one
 * lets the agents of sequential types take one message after the other.
 */
export function inActivation(catalog: AgentCatalog, handle: Handle): Handle {
  const inTurn: Handle = (agent, delivery) => {
    const turns = catalog.turnsOf(delivery.agentId.type);
    if (turns !== undefined) return turns.inTurn(delivery, (now) => handle(now, delivery), agent);
    const { context } = delivery;
    if (context.path.length === 0) return handle(agent, delivery);
    return catalog.paths.around(agent, context, () => handle(agent, delivery));
  };
  return (agent, delivery) => catalog.inUse(delivery.agentId, () => inTurn(agent, delivery));
}

/** Composes once the code that runs for each message. Without layers it is the handler alone. */
export function withLayers(layers: readonly Layer[]): Handle {
  return layers.reduceRight<Handle>(
    (inner, layer) => (agent, delivery) => layer(delivery, () => inner(agent, delivery), agent),
    layers.length === 0 ? handle : handleInRun,
  );
}

const handle: Handle = (agent, { message, context }) => {
  context.hasBegun = true;
  const unfinished = context.keptRun?.unfinished;
  const answer =
    unfinished === undefined ? agent.onMessage(message, context) : agent.continueRun?.(unfinished, context);
  return isChunkGenerator(answer) ? pour(answer, context) : answer;
};

/** A layer may wait. The handler does not begin when the run has ended meanwhile, or its message was withdrawn. */
const handleInRun: Handle = (agent, delivery) => {
  const { withheld } = delivery.context;
  if (withheld !== undefined) throw withheld.reason;
  return handle(agent, delivery);
};

function layerOf(interceptor: HandlerInterceptor): Layer {
  return ({ agentId, message, context }, next) =>
    interceptor({ agentId, message, context }, () => {
      const answer = (async () => next())();
      // An interceptor may forget this promise: its rejection must not end the process.
      answer.catch(() => undefined);
      return answer;
    });
}
