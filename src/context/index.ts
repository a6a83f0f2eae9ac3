export {
  AgentInstantiationContext,
  ambientContexts,
  MessageHandlerContext,
  SubscriptionInstantiationContext,
} from "./ambient-contexts.ts";
