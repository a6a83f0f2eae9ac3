import type { AgentRuntime } from "../agent-runtime.ts";
import { asList } from "../collections/as-list.ts";
import { brandClass } from "../copies.ts";
import { CantHandleException, TroupeError } from "../errors.ts";
import { limitedLogOf } from "../limited-log.ts";
import { MessageIndex, messageTypeText } from "../serialization/message-index.ts";
import type { MessageType } from "../serialization/message-type.ts";
import { assertFunction, assertRuntime } from "../validation/assert-arguments.ts";
import { assertOptions, type OptionKinds, optionShape } from "../validation/assert-options.ts";
import { callable, flag, messageType, oneOrMany, text, word } from "../validation/option-kinds.ts";
import { type WaitOptions, waitKinds } from "../wait-options.ts";
import type { AgentFactoryContext } from "./agent.ts";
import { type AgentType, agentTypeText } from "./agent-id.ts";
import { type LifeOptions, lifeKinds, lifeOptionsOf } from "./agent-life.ts";
import { BaseAgent } from "./base-agent.ts";
import { classSubscriptionFactories, type SubscriptionFactory } from "./class-subscriptions.ts";
import { noteFactoryTypes } from "./handled-messages.ts";
import type { HandledMessage, MessageTypes } from "./handler.ts";
import type { MessageContext } from "./message-context.ts";
import { registerAgentClass } from "./register-agent.ts";
import { type SharingOptions, sharingKinds, sharingOptionsOf } from "./sharing.ts";
import { type PrincipalOptions, principalKinds, principalOptionsOf } from "./told-principal.ts";
import { type TurnOptions, turnKinds, turnOptionsOf } from "./turns.ts";

/** Lets a closure send and publish in its agent's name. */
export type ClosureContext = Pick<BaseAgent, "id" | "sendMessage" | "stream" | "publishMessage">;

/**
 * A function that handles an agent's messages. The value that it returns or resolves to is the answer of a call. An `async function*` yields
 * the chunks of the answer first.
 */
export type Closure<Message> = (agent: ClosureContext, message: Message, context: MessageContext) => unknown;

/**
 * Decides about a message of a type that the closure does not name. `warn` drops it and logs a warning, `error` throws
 * `CantHandleException`, `ignore` calls the closure.
 */
export type UnknownTypePolicy = "warn" | "error" | "ignore";

/** Options of `ClosureAgent`. All are optional. */
export interface ClosureAgentOptions<Types extends MessageTypes> {
  /** The message types that the closure takes. Default: all. */
  readonly types?: Types | undefined;
  /** Decides about messages of other types. Default: `warn`. */
  readonly unknownTypePolicy?: UnknownTypePolicy | undefined;
  /** The text that the agent's metadata shows to people. Default: empty. */
  readonly description?: string | undefined;
}

/** Options of `ClosureAgent.registerClosure`. All are optional. */
export interface RegisterClosureOptions<Types extends MessageTypes>
  extends ClosureAgentOptions<Types>,
    WaitOptions,
    TurnOptions,
    LifeOptions,
    SharingOptions,
    PrincipalOptions {
  /** Make the subscriptions that the runtime adds with the agent type. Default: none. */
  readonly subscriptions?: SubscriptionFactory | readonly SubscriptionFactory[] | undefined;
  /** The same as in `RegisterOptions`. Default: `fail`. */
  readonly whenTaken?: "fail" | "wait" | undefined;
  /** Leave out the subscription to topics that start with `{type}:`. Default: false. */
  readonly skipDirectMessageSubscription?: boolean | undefined;
}

const closureKinds: OptionKinds<ClosureAgentOptions<MessageTypes>> = {
  types: oneOrMany(messageType),
  unknownTypePolicy: word("warn", "error", "ignore"),
  description: text,
};
const closureShape = optionShape<ClosureAgentOptions<MessageTypes>>(closureKinds);

const registerShape = optionShape<RegisterClosureOptions<MessageTypes>>({
  ...waitKinds,
  ...turnKinds,
  ...lifeKinds,
  ...sharingKinds,
  ...principalKinds,
  ...closureKinds,
  subscriptions: oneOrMany({
    ...callable,
    expected: 'a function that makes subscriptions, () => [new TypeSubscription("orders", "clerk")]',
  }),
  whenTaken: word("fail", "wait"),
  skipDirectMessageSubscription: flag,
});

/** Takes closures of every message type, because it is a method. `registerClosure` has checked the closure's own type. */
interface Erased {
  closure(agent: ClosureContext, message: unknown, context: MessageContext): unknown;
}

/**
 * An agent made of a function. The function often pushes messages into a queue that ordinary code awaits, so that results
 * leave the runtime. The agent has no state to save.
 */
// protocol.md §5.5
export class ClosureAgent extends BaseAgent implements ClosureContext {
  readonly #closure: Erased["closure"];
  readonly #types: readonly MessageType[] | undefined;
  readonly #expected = new MessageIndex<true>();
  readonly #policy: UnknownTypePolicy;

  /** Pass on the context that the runtime gave to your factory. Usually `registerClosure` does it for you. */
  constructor(
    context: AgentFactoryContext,
    closure: Erased["closure"],
    options: ClosureAgentOptions<MessageTypes> = {},
  ) {
    super(options?.description ?? "");
    if (context?.id === undefined || context.runtime === undefined) {
      throw new TroupeError(
        "wrong-state",
        "ClosureAgent must be instantiated within the context of an AgentRuntime. It cannot be directly instantiated.",
      );
    }
    assertFunction(closure, "The closure of an agent");
    assertOptions(options, closureShape, "ClosureAgent");
    this.bindIdAndRuntime(context.id, context.runtime);
    this.#closure = closure;
    this.#types = options.types === undefined ? undefined : asList(options.types);
    for (const type of this.#types ?? []) this.#expected.set(type, true);
    this.#policy = options.unknownTypePolicy ?? "warn";
  }

  /**
   * Registers a closure under an agent type, with its message types and subscriptions. A refused registration adds no agent
   * type and no subscription.
   */
  static async registerClosure<const Types extends MessageTypes = MessageType>(
    runtime: AgentRuntime,
    type: string | AgentType,
    closure: Closure<HandledMessage<Types>>,
    options: RegisterClosureOptions<Types> = {},
  ): Promise<AgentType> {
    assertRuntime(runtime);
    assertFunction(closure, "The closure of an agent");
    assertOptions(options, registerShape, "registerClosure");
    // biome-ignore lint/complexity/noThisInStatic: a subclass may be the one
    if (classSubscriptionFactories(this).length > 0) {
      throw new TroupeError("invalid-argument", "Closure agents are expected to have no class subscriptions");
    }
    // The runtime learns the types before the first message can come, as for every agent.
    if (options.types !== undefined) runtime.addMessageSerializer(options.types);
    const erased: Erased = { closure };
    const { skipDirectMessageSubscription, signal, whenTaken, types, unknownTypePolicy, description } = options;
    const factory = (context: AgentFactoryContext) =>
      new ClosureAgent(context, erased.closure, { types, unknownTypePolicy, description });
    if (types !== undefined) noteFactoryTypes(factory, asList<MessageType>(types));
    return registerAgentClass(ClosureAgent, runtime, {
      ...{ type: agentTypeText(type), factory },
      options: {
        ...turnOptionsOf(options),
        ...lifeOptionsOf(options),
        ...{ ...sharingOptionsOf(options), ...principalOptionsOf(options) },
        ...{ skipClassSubscriptions: true, skipDirectMessageSubscription, signal, whenTaken },
      },
      moreSubscriptions: options.subscriptions === undefined ? [] : asList(options.subscriptions),
    });
  }

  protected override onMessageImpl(message: unknown, context: MessageContext): unknown {
    if (this.#types !== undefined && this.#expected.find(message) === undefined) {
      const types = this.#types.map(({ typeName }) => typeName).join(", ");
      const text = `Message type ${messageTypeText(message)} not in target types [${types}] of ${this.id}.`;
      switch (this.#policy) {
        case "warn":
          limitedLogOf(this.runtime.logger).warn(
            `${text} Set unknownTypePolicy to 'error' to raise an exception, or 'ignore' to suppress this warning.`,
            undefined,
            `A message type is not in the target types of ${this.id.type}`,
          );
          return undefined;
        case "error":
          throw new CantHandleException(
            `${text} Set unknownTypePolicy to 'warn' to suppress this exception, or 'ignore' to suppress this warning.`,
          );
        case "ignore":
          break;
      }
    }
    return this.#closure(this, message, context);
  }

  override saveState(): Record<string, never> {
    return {};
  }

  override loadState(): void {}
}
brandClass(ClosureAgent, "ClosureAgent");
