import type { AmbientContexts } from "../ambient-contexts.ts";
import { asList } from "../collections/as-list.ts";
import { DefaultSubscription, inSubscriptionContext } from "../topics/default-subscription.ts";
import type { Subscription, SubscriptionOptions } from "../topics/subscription.ts";
import { wrongValue } from "../validation/option-values.ts";
import type { BaseAgent } from "./base-agent.ts";

/** Tells a subscription factory for which agent type it makes subscriptions. */
export interface SubscriptionFactoryContext {
  /** The type under which the class is being registered. */
  readonly agentType: string;
}

type SubscriptionsMade = Subscription | readonly Subscription[];

/** Makes subscriptions for the agent type that is being registered. */
export type SubscriptionFactory = (
  context: SubscriptionFactoryContext,
) => SubscriptionsMade | Promise<SubscriptionsMade>;

/** An agent class as a class decorator sees it. */
type DecoratedAgentClass = abstract new (...args: never[]) => BaseAgent;

const decoratedSubscriptions = Symbol.for("troupe.classSubscriptions");

/** Decorates an agent class: registering it also subscribes its agents to the topic type `default`. Not inherited. */
export function defaultSubscription(): (agentClass: DecoratedAgentClass, context: ClassDecoratorContext) => void {
  return subscriptionFactory(() => new DefaultSubscription());
}

/**
 * Decorates an agent class: registering it also subscribes its agents to a topic type. Not inherited. `options`: as for `TypeSubscription`,
 * without an id.
 */
export function typeSubscription(
  topicType: string,
  options: Omit<SubscriptionOptions, "id"> = {},
): (agentClass: DecoratedAgentClass, context: ClassDecoratorContext) => void {
  if (typeof topicType !== "string") throw wrongValue("The topic type of @typeSubscription must be a text", topicType);
  return subscriptionFactory(() => new DefaultSubscription(topicType, undefined, options));
}

/** Decorates an agent class: registering it also adds the subscriptions that the factory makes. Not inherited. */
export function subscriptionFactory(
  factory: SubscriptionFactory,
): (agentClass: DecoratedAgentClass, context: ClassDecoratorContext) => void {
  if (typeof factory !== "function") throw wrongValue("The subscription factory must be a function", factory);
  return (agentClass) => {
    // Decorators run before static fields are set, so theirs are kept under a key of their own.
    const value = [...factoriesUnder(agentClass, decoratedSubscriptions), factory];
    Object.defineProperty(agentClass, decoratedSubscriptions, { value, configurable: true });
  };
}

/** Returns the class's own factories: those of its static `subscriptions`, then those of its decorators. */
export function classSubscriptionFactories(agentClass: object): readonly SubscriptionFactory[] {
  return [...factoriesUnder(agentClass, "subscriptions"), ...factoriesUnder(agentClass, decoratedSubscriptions)];
}

/** Runs factories one after the other in the context of an agent type and gathers what they make. */
export async function collectSubscriptions(
  factories: readonly SubscriptionFactory[],
  agentType: string,
  ambient: AmbientContexts | undefined,
): Promise<readonly Subscription[]> {
  const collected: Subscription[] = [];
  for (const factory of factories) {
    const made = await inSubscriptionContext(agentType, ambient, () => factory({ agentType }));
    for (const subscription of asList(made)) collected.push(subscription);
  }
  return collected;
}

function factoriesUnder(agentClass: object, key: PropertyKey): readonly SubscriptionFactory[] {
  return Object.hasOwn(agentClass, key) ? Reflect.get(agentClass, key) : [];
}
