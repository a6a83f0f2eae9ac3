import type { AgentFactory } from "./agent.ts";
import { type AgentId, AgentType, isPortableAgentType } from "./agent-id.ts";
import type { AgentRuntime } from "./agent-runtime.ts";
import type { AgentClass, BaseAgent } from "./base-agent.ts";
import { classSubscriptionFactories, collectSubscriptions } from "./class-subscriptions.ts";
import { TroupeError } from "./errors.ts";
import type { MessageType } from "./serialization/message-type.ts";
import { directMessageSubscription } from "./type-prefix-subscription.ts";
import { TypeSubscription } from "./type-subscription.ts";
import { warnOnce } from "./warn-once.ts";

export interface RegisterOptions {
  /** Leave out the subscriptions that come with the class. Default: false. */
  readonly skipClassSubscriptions?: boolean | undefined;
  /** Leave out the subscription to topics that start with `{type}:`. Default: false. */
  readonly skipDirectMessageSubscription?: boolean | undefined;
}

export interface RegisterInstanceOptions {
  /** Default: true. */
  readonly skipClassSubscriptions?: boolean | undefined;
  /** Default: false. */
  readonly skipDirectMessageSubscription?: boolean | undefined;
}

/** The steps of `BaseAgent.register`, in their order (protocol.md §5.3). */
export async function registerAgentClass<T extends BaseAgent>(
  agentClass: AgentClass<T>,
  runtime: AgentRuntime,
  type: string,
  factory: AgentFactory<T>,
  options: RegisterOptions,
): Promise<AgentType> {
  const agentType = await runtime.registerFactory(new AgentType(type), factory, { expectedClass: agentClass });
  warnUnlessPortable(runtime, type);
  if (options.skipClassSubscriptions !== true) await addClassSubscriptions(agentClass, runtime, type);
  if (options.skipDirectMessageSubscription !== true) await runtime.addSubscription(directMessageSubscription(type));
  addTypes(runtime, agentClass.handledTypes());
  return agentType;
}

/** The steps of `BaseAgent.registerInstance`, in their order (protocol.md §5.3). */
export async function registerAgent(
  agent: BaseAgent,
  runtime: AgentRuntime,
  agentId: AgentId,
  options: RegisterInstanceOptions,
): Promise<AgentId> {
  const id = await runtime.registerAgentInstance(agent, agentId);
  warnUnlessPortable(runtime, id.type);
  await runtime.addSubscription(new TypeSubscription(id.key, id.type));
  if (options.skipClassSubscriptions === false) await addClassSubscriptions(agent.constructor, runtime, id.type);
  if (options.skipDirectMessageSubscription !== true) {
    try {
      await runtime.addSubscription(directMessageSubscription(id.type));
    } catch (thrown) {
      // The type's first instance has added it.
      if (!(thrown instanceof TroupeError && thrown.code === "already-exists")) throw thrown;
    }
  }
  addTypes(runtime, handledTypesOf(agent));
  return id;
}

async function addClassSubscriptions(agentClass: object, runtime: AgentRuntime, agentType: string): Promise<void> {
  const factories = classSubscriptionFactories(agentClass);
  for (const subscription of await collectSubscriptions(factories, agentType, runtime.ambient)) {
    await runtime.addSubscription(subscription);
  }
}

function handledTypesOf(agent: BaseAgent): readonly MessageType[] {
  const agentClass: Partial<AgentClass<BaseAgent>> & object = agent.constructor;
  return agentClass.handledTypes?.() ?? [];
}

function addTypes(runtime: AgentRuntime, types: readonly MessageType[]): void {
  if (types.length > 0) runtime.addMessageSerializer(types);
}

function warnUnlessPortable(runtime: AgentRuntime, type: string): void {
  if (isPortableAgentType(type)) return;
  warnOnce(
    runtime.logger,
    `Agent type ${type} can't be reached from .NET workers: they take only letters, digits and _, not starting with a digit.`,
  );
}
