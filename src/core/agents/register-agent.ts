import type { AgentRuntime } from "../agent-runtime.ts";
import { warnOnce } from "../logger.ts";
import { isReserved } from "../reserved-names.ts";
import type { MessageType } from "../serialization/message-type.ts";
import { directMessageSubscription, TypeSubscription } from "../topics/subscription.ts";
import { isValidTopicType } from "../topics/topic-id.ts";
import { assertAgentId, assertFactory, assertRuntime } from "../validation/assert-arguments.ts";
import { assertOptions, type OptionKinds, optionShape } from "../validation/assert-options.ts";
import { flag, word } from "../validation/option-kinds.ts";
import { type WaitOptions, waitKinds } from "../wait-options.ts";
import type { AgentFactory } from "./agent.ts";
import { type AgentId, AgentType, isPortableAgentType } from "./agent-id.ts";
import { type LifeOptions, lifeKinds, lifeOptionsOf } from "./agent-life.ts";
import type { AgentClass, BaseAgent } from "./base-agent.ts";
import { classSubscriptionFactories, collectSubscriptions, type SubscriptionFactory } from "./class-subscriptions.ts";
import { type SharingOptions, sharingKinds, sharingOptionsOf } from "./sharing.ts";
import { type PrincipalOptions, principalKinds, principalOptionsOf } from "./told-principal.ts";
import { type TurnOptions, turnKinds, turnOptionsOf } from "./turns.ts";

/** Options of `BaseAgent.register`. All are optional. */
export interface RegisterOptions extends WaitOptions, TurnOptions, LifeOptions, SharingOptions, PrincipalOptions {
  /**
   * Decides about a type that another worker serves. `fail` rejects with `already-exists`. `wait` registers the type as soon
   * as it is free, for instance in a rolling restart. Default: `fail`.
   */
  readonly whenTaken?: "fail" | "wait" | undefined;
  /** Leave out the subscriptions that come with the class. Default: false. */
  readonly skipClassSubscriptions?: boolean | undefined;
  /** Leave out the subscription to topics that start with `{type}:`. Default: false. */
  readonly skipDirectMessageSubscription?: boolean | undefined;
}

/** Options of `BaseAgent.registerInstance`. All are optional. */
export interface RegisterInstanceOptions extends WaitOptions, TurnOptions, PrincipalOptions {
  /** Leave out the subscriptions that come with the class. Default: true. */
  readonly skipClassSubscriptions?: boolean | undefined;
  /** Leave out the subscription to topics that start with `{type}:`. Default: false. */
  readonly skipDirectMessageSubscription?: boolean | undefined;
}

const instanceKinds: OptionKinds<RegisterInstanceOptions> = {
  ...waitKinds,
  ...turnKinds,
  ...principalKinds,
  skipClassSubscriptions: flag,
  skipDirectMessageSubscription: flag,
};
const instanceShape = optionShape<RegisterInstanceOptions>(instanceKinds);
const registerShape = optionShape<RegisterOptions>({
  ...instanceKinds,
  ...lifeKinds,
  ...sharingKinds,
  whenTaken: word("fail", "wait"),
});

/** Checks the arguments of an agent class's `register`. The type has its own check. */
export function assertRegistration(runtime: unknown, factory: unknown, options: unknown): void {
  assertRuntime(runtime);
  assertFactory(factory);
  assertOptions(options, registerShape, "register");
}

/**
 * Registers a class with its subscriptions. The runtime learns the message types first, so that it can decode a call that
 * comes at once. It keeps them when the rest is refused.
 */
// protocol.md §5.3
export async function registerAgentClass<T extends BaseAgent>(
  agentClass: AgentClass<T>,
  runtime: AgentRuntime,
  { type, factory, options, moreSubscriptions = [] }: AgentClassRegistration<T>,
): Promise<AgentType> {
  addTypes(runtime, agentClass.handledTypes());
  const ofClass = options.skipClassSubscriptions === true ? [] : classSubscriptionFactories(agentClass);
  const subscriptions = [
    ...(await collectSubscriptions(ofClass, type, runtime.ambient)),
    ...(options.skipDirectMessageSubscription === true ? [] : [directMessageSubscription(type)]),
    ...(await collectSubscriptions(moreSubscriptions, type, runtime.ambient)),
  ];
  const { signal, whenTaken } = options;
  const ofType = {
    ...{ ...turnOptionsOf(options), ...lifeOptionsOf(options) },
    ...{ ...sharingOptionsOf(options), ...principalOptionsOf(options) },
  };
  const registration = { ...ofType, expectedClass: agentClass, subscriptions, signal, whenTaken };
  const agentType = await runtime.registerFactory(new AgentType(type), factory, registration);
  warnUnlessPortable(runtime, type);
  return agentType;
}

export interface AgentClassRegistration<T extends BaseAgent> {
  readonly type: string;
  readonly factory: AgentFactory<T>;
  readonly options: RegisterOptions;
  /** Beside those of the class. */
  readonly moreSubscriptions?: readonly SubscriptionFactory[];
}

/** Registers one agent with its subscriptions. */
// protocol.md §5.3
export async function registerAgent(
  agent: BaseAgent,
  runtime: AgentRuntime,
  agentId: AgentId,
  options: RegisterInstanceOptions,
): Promise<AgentId> {
  assertRuntime(runtime);
  assertAgentId(agentId, "id of an instance");
  assertOptions(options, instanceShape, "registerInstance");
  addTypes(runtime, handledTypesOf(agent));
  const { type, key } = agentId;
  const ofClass = options.skipClassSubscriptions === false ? classSubscriptionFactories(agent.constructor) : [];
  const subscriptions = [
    // A key may be any text. No topic has a type such as "a b", so that key needs no subscription.
    ...(isValidTopicType(key) && !isReserved(key) ? [new TypeSubscription(key, type)] : []),
    ...(await collectSubscriptions(ofClass, type, runtime.ambient)),
    // The type's other instances have added it already.
    ...(options.skipDirectMessageSubscription === true ? [] : [directMessageSubscription(type)]),
  ];
  const ofType = { ...turnOptionsOf(options), ...principalOptionsOf(options) };
  const registration = { ...ofType, subscriptions, signal: options.signal };
  const id = await runtime.registerAgentInstance(agent, agentId, registration);
  warnUnlessPortable(runtime, id.type);
  return id;
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
