import type { AgentId } from "./agents/agent-id.ts";
import type { MessageContext } from "./agents/message-context.ts";

/** Tells an interceptor about a message on its way to a handler. */
export interface InterceptedDelivery {
  /** The agent whose handler is about to run. */
  readonly agentId: AgentId;
  /** The message's value, as the handler gets it. */
  readonly message: unknown;
  /** The handler's context: sender, topic, signal. An event has a `topicId`, a call has none. */
  readonly context: MessageContext;
}

/**
 * Runs around the handlers of a runtime's agents, for calls and for events (option `interceptors`). The first one in the list is the
 * outermost. It returns the answer. An error that it throws reaches the caller, and the runtime logs it as a failure of the
 * handler.
 *
 * `next` runs the handler and resolves to its answer, or rejects with what the handler throws. Without a call of `next` the
 * handler does not run. Each further call runs it again. Handlers start in the order of their messages as long as interceptors
 * call `next` before they await something else.
 *
 * `context.sender` is what the caller claims, and nothing checks it. The first interceptor below separates honest agents. It does not
 * protect against others.
 *
 * @example
 * ```ts
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
 * ```
 */
export type HandlerInterceptor = (delivery: InterceptedDelivery, next: () => Promise<unknown>) => unknown;
