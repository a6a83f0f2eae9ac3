import { type AgentType, agentTypeText } from "../agents/agent-id.ts";
import { CantHandleException } from "../errors.ts";
import { agentTypeOfSubscriptionContext } from "./subscription-context.ts";
import { TypeSubscription } from "./type-subscription.ts";

/** A `TypeSubscription` on the topic type `default`, for the agent type whose subscriptions are being made. */
export class DefaultSubscription extends TypeSubscription {
  /** Throws `CantHandleException` when no agent type is given and none is being registered. */
  constructor(topicType = "default", agentType?: string | AgentType) {
    super(topicType, agentType === undefined ? agentTypeBeingRegistered() : agentTypeText(agentType));
  }
}

function agentTypeBeingRegistered(): string {
  const agentType = agentTypeOfSubscriptionContext();
  if (agentType === undefined) {
    throw new CantHandleException(
      "agentType must be given when a DefaultSubscription is made outside a subscription factory " +
        "(or after an await in one, unless the runtime was made with `ambient: ambientContexts` of troupe/context: " +
        "use the agentType that the factory is given)",
    );
  }
  return agentType;
}
