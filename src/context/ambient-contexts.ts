import type { AmbientContexts } from "../core/internal.ts";
import { inFactory } from "./agent-instantiation-context.ts";
import { handlerAgentId, handlerSignal, inHandler } from "./message-handler-context.ts";
import { inSubscription, subscribingAgentType } from "./subscription-instantiation-context.ts";

/**
 * Makes AutoGen's contexts ambient: `new SingleThreadedAgentRuntime({ ambient: ambientContexts })`. Calls that a handler
 * makes without a signal then end with the handler's own call, and inherit the time that is left to it.
 */
export const ambientContexts: AmbientContexts = {
  inFactory,
  inHandler,
  handlerAgentId,
  handlerSignal,
  inSubscription,
  subscribingAgentType,
};
