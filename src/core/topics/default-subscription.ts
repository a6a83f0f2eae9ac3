import { type AgentType, agentTypeText } from "../agents/agent-id.ts";
import type { AmbientContexts } from "../ambient-contexts.ts";
import { brandClass, sharedByCopies } from "../copies.ts";
import { CantHandleException } from "../errors.ts";
import { type SubscriptionOptions, TypeSubscription } from "./subscription.ts";

/** A `TypeSubscription` on the topic type `default`, for the agent type whose subscriptions are being created. */
export class DefaultSubscription extends TypeSubscription {
  /** Throws `CantHandleException` if no agent type is given and none is being registered. */
  constructor(topicType = "default", agentType?: string | AgentType, options?: SubscriptionOptions) {
    super(topicType, agentType === undefined ? agentTypeBeingRegistered() : agentTypeText(agentType), options);
  }
}
brandClass(DefaultSubscription, "DefaultSubscription");

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

// AutoGen's `SubscriptionInstantiationContext`: protocol.md §5.4.
/**
 * Agent type whose subscriptions are being created, until its factory returns. With ambient contexts it stays known to
 * the end of an asynchronous factory. Without them, use the `agentType` argument after the first `await`.
 */
const making = sharedByCopies("subscriptions", (): Making => ({ current: undefined, underWay: new Map() }));

interface Making {
  current: string | undefined;
  /** Number of running factories per ambient context. Only the context itself knows which factory asks. */
  readonly underWay: Map<AmbientContexts, number>;
}

export async function inSubscriptionContext<T>(
  agentType: string,
  ambient: AmbientContexts | undefined,
  body: () => T | Promise<T>,
): Promise<T> {
  if (ambient === undefined) return withCurrent(agentType, body);
  const { underWay } = making;
  underWay.set(ambient, (underWay.get(ambient) ?? 0) + 1);
  try {
    return await ambient.inSubscription(agentType, () => withCurrent(agentType, body));
  } finally {
    const left = (underWay.get(ambient) ?? 1) - 1;
    if (left === 0) underWay.delete(ambient);
    else underWay.set(ambient, left);
  }
}

function agentTypeOfSubscriptionContext(): string | undefined {
  if (making.current !== undefined) return making.current;
  for (const ambient of making.underWay.keys()) {
    const agentType = ambient.subscribingAgentType();
    if (agentType !== undefined) return agentType;
  }
  return undefined;
}

function withCurrent<T>(agentType: string, body: () => T): T {
  const outer = making.current;
  making.current = agentType;
  try {
    return body();
  } finally {
    making.current = outer;
  }
}
