export { AgentInstantiationContext } from "./agent-instantiation-context.ts";
export { ambientContexts } from "./ambient-contexts.ts";
export { MessageHandlerContext } from "./message-handler-context.ts";
export { SubscriptionInstantiationContext } from "./subscription-instantiation-context.ts";
