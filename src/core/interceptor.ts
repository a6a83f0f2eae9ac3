import type { AgentId } from "./agents/agent-id.ts";
import type { MessageContext } from "./agents/message-context.ts";

/** What an interceptor is told of a message on its way to a handler. */
export interface InterceptedDelivery {
  /** The agent whose handler is about to run. */
  readonly agentId: AgentId;
  readonly message: unknown;
  /** What the handler gets: sender, topic, signal. An event has a `topicId`, a call has none. */
  readonly context: MessageContext;
}

/**
 * Runs around the handlers of a runtime's agents, for calls and for events (option `interceptors`). The first one in the list is the
 * outermost. What it returns is the answer; what it throws reaches the caller and is logged as a failure of the handler.
 *
 * `next` runs the handler and resolves to its answer, or rejects with what the handler throws. Without a call of `next` the
 * handler does not run. Each further call runs it again. Handlers start in the order of their messages as long as interceptors
 * call `next` before they await something else.
 *
 * @example
 * const onlyEditors: HandlerInterceptor = ({ agentId, context }, next) => {
 *   if (agentId.type !== "archive" || context.sender?.type === "editor") return next();
 *   throw new TroupeError("not-authorized", `${agentId} takes messages from editors only.`);
 * };
 * const timed: HandlerInterceptor = async ({ agentId }, next) => {
 *   const beganMs = performance.now();
 *   try {
 *     return await next();
 *   } finally {
 *     console.log(`${agentId} took ${performance.now() - beganMs} ms`);
 *   }
 * };
 * const runtime = new SingleThreadedAgentRuntime({ interceptors: [onlyEditors, timed] });
 */
export type HandlerInterceptor = (delivery: InterceptedDelivery, next: () => Promise<unknown>) => unknown;
