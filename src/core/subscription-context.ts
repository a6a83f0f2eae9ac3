/**
 * For which agent type subscriptions are being made right now; set while a subscription factory runs, until it returns
 * (AutoGen's `SubscriptionInstantiationContext`, protocol.md §5.4). After an `await` in an asynchronous factory use the
 * `agentType` that the factory is given.
 */
let current: string | undefined;

export function inSubscriptionContext<T>(agentType: string, body: () => T): T {
  const outer = current;
  current = agentType;
  try {
    return body();
  } finally {
    current = outer;
  }
}

export function agentTypeOfSubscriptionContext(): string | undefined {
  return current;
}
