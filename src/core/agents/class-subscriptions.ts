import type { AmbientContexts } from "../ambient-contexts.ts";
import { DefaultSubscription, inSubscriptionContext } from "../topics/default-subscription.ts";
import type { Subscription } from "../topics/subscription.ts";
import type { BaseAgent } from "./base-agent.ts";

/** What a subscription factory is told. */
export interface SubscriptionFactoryContext {
  /** The type under which the agent is being registered. */
  readonly agentType: string;
}

type SubscriptionsMade = Subscription | readonly Subscription[];

/** Makes subscriptions for the agent type that is being registered. */
export type SubscriptionFactory = (
  context: SubscriptionFactoryContext,
) => SubscriptionsMade | Promise<SubscriptionsMade>;

/** An agent class as a class decorator sees it. */
type DecoratedAgentClass = abstract new (...args: never[]) => BaseAgent;

const decoratedSubscriptions = Symbol("troupe.classSubscriptions");

/** Agents of this class are subscribed to the topic type `default` when they are registered. Not inherited. */
export function defaultSubscription(): (agentClass: DecoratedAgentClass, context: ClassDecoratorContext) => void {
  return subscriptionFactory(() => new DefaultSubscription());
}

/** Agents of this class are subscribed to a topic type when they are registered. Not inherited. */
export function typeSubscription(
  topicType: string,
): (agentClass: DecoratedAgentClass, context: ClassDecoratorContext) => void {
  return subscriptionFactory(() => new DefaultSubscription(topicType));
}

/** Agents of this class get the subscriptions that the factory makes when they are registered. Not inherited. */
export function subscriptionFactory(
  factory: SubscriptionFactory,
): (agentClass: DecoratedAgentClass, context: ClassDecoratorContext) => void {
  return (agentClass) => {
    // Decorators run before static fields are set, so theirs are kept under a key of their own.
    const value = [...factoriesUnder(agentClass, decoratedSubscriptions), factory];
    Object.defineProperty(agentClass, decoratedSubscriptions, { value, configurable: true });
  };
}

/** The class's own factories: of its static `subscriptions`, then of its decorators. */
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
    for (const subscription of isList(made) ? made : [made]) collected.push(subscription);
  }
  return collected;
}

function factoriesUnder(agentClass: object, key: PropertyKey): readonly SubscriptionFactory[] {
  return Object.hasOwn(agentClass, key) ? Reflect.get(agentClass, key) : [];
}

function isList(made: SubscriptionsMade): made is readonly Subscription[] {
  return Array.isArray(made);
}
