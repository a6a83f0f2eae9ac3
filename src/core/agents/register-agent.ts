import type { AgentRuntime } from "../agent-runtime.ts";
import { TroupeError } from "../errors.ts";
import { warnOnce } from "../logger.ts";
import type { MessageType } from "../serialization/message-type.ts";
import { directMessageSubscription, TypeSubscription } from "../topics/subscription.ts";
import type { AgentFactory } from "./agent.ts";
import { type AgentId, AgentType, isPortableAgentType } from "./agent-id.ts";
import type { AgentClass, BaseAgent } from "./base-agent.ts";
import { classSubscriptionFactories, collectSubscriptions } from "./class-subscriptions.ts";

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

/**
 * The steps of `BaseAgent.register` (protocol.md §5.3), but for the message types: they are known before anybody can send
 * one, else a call that comes at once would be an unknown payload.
 */
export async function registerAgentClass<T extends BaseAgent>(
  agentClass: AgentClass<T>,
  runtime: AgentRuntime,
  type: string,
  factory: AgentFactory<T>,
  options: RegisterOptions,
): Promise<AgentType> {
  addTypes(runtime, agentClass.handledTypes());
  const agentType = await runtime.registerFactory(new AgentType(type), factory, { expectedClass: agentClass });
  warnUnlessPortable(runtime, type);
  if (options.skipClassSubscriptions !== true) await addClassSubscriptions(agentClass, runtime, type);
  if (options.skipDirectMessageSubscription !== true) await runtime.addSubscription(directMessageSubscription(type));
  return agentType;
}

/** The steps of `BaseAgent.registerInstance` (protocol.md §5.3), the message types first here too. */
export async function registerAgent(
  agent: BaseAgent,
  runtime: AgentRuntime,
  agentId: AgentId,
  options: RegisterInstanceOptions,
): Promise<AgentId> {
  addTypes(runtime, handledTypesOf(agent));
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
