import type { AmbientContexts } from "../ambient-contexts.ts";

/**
 * For which agent type subscriptions are being made right now (AutoGen's `SubscriptionInstantiationContext`, protocol.md
 * §5.4): known until a subscription factory returns, and to the end of an asynchronous one where the runtime has ambient
 * contexts. Without them use the `agentType` that the factory is given after its first `await`.
 */
let current: string | undefined;

/** Whose factories are under way, and how many. Which of them asks, only the ambient contexts know. */
const underWay = new Map<AmbientContexts, number>();

export async function inSubscriptionContext<T>(
  agentType: string,
  ambient: AmbientContexts | undefined,
  body: () => T | Promise<T>,
): Promise<T> {
  if (ambient === undefined) return withCurrent(agentType, body);
  underWay.set(ambient, (underWay.get(ambient) ?? 0) + 1);
  try {
    return await ambient.inSubscription(agentType, () => withCurrent(agentType, body));
  } finally {
    const left = (underWay.get(ambient) ?? 1) - 1;
    if (left === 0) underWay.delete(ambient);
    else underWay.set(ambient, left);
  }
}

export function agentTypeOfSubscriptionContext(): string | undefined {
  if (current !== undefined) return current;
  for (const ambient of underWay.keys()) {
    const agentType = ambient.subscribingAgentType();
    if (agentType !== undefined) return agentType;
  }
  return undefined;
}

function withCurrent<T>(agentType: string, body: () => T): T {
  const outer = current;
  current = agentType;
  try {
    return body();
  } finally {
    current = outer;
  }
}
