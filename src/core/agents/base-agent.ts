import type {
  AgentRuntime,
  MessageStreamOptions,
  PublishOptions,
  SendOptions,
  SendOptionsWithAnswer,
  TellOptions,
} from "../agent-runtime.ts";
import type { Timer } from "../clock.ts";
import { brandClass } from "../copies.ts";
import { postOf } from "../courier/agent-post.ts";
import type { ReminderInfo, ReminderOptions, When } from "../courier/reminders/when.ts";
import { TroupeError } from "../errors.ts";
import { warnOnce } from "../logger.ts";
import type { AnswerOf, ChunkOf, MessageType } from "../serialization/message-type.ts";
import type { Sendable } from "../serialization/sendable.ts";
import type { MessageStream } from "../streaming/message-stream.ts";
import type { TopicId } from "../topics/topic-id.ts";
import { assertMessage } from "../validation/assert-arguments.ts";
import { assertOptions, optionShape } from "../validation/assert-options.ts";
import { flag } from "../validation/option-kinds.ts";
import type { Agent, AgentFactory, AgentMetadata, AgentState, ClassOf } from "./agent.ts";
import { type AgentId, type AgentType, agentTypeText } from "./agent-id.ts";
import {
  type ActivationContext,
  type ActivationPort,
  type AgentTimerOptions,
  activationsOf,
  type DeactivationReason,
} from "./agent-life.ts";
import type { SubscriptionFactory } from "./class-subscriptions.ts";
import { declaredTypes } from "./handles.ts";
import type { MessageContext } from "./message-context.ts";
import {
  assertRegistration,
  type RegisterInstanceOptions,
  type RegisterOptions,
  registerAgent,
  registerAgentClass,
} from "./register-agent.ts";
import type { AgentPlacement, WorkerLabels } from "./sharing.ts";
import type { AgentConcurrency, TurnKind } from "./turns.ts";

const timerShape = optionShape<AgentTimerOptions>({ repeats: flag });

/** An agent class that `register` can register. */
export type AgentClass<T extends BaseAgent> = ClassOf<T> & { handledTypes(): readonly MessageType[] };

/**
 * Base class of agents, usually extended as `RoutedAgent`. An agent sends and publishes in its own name. It knows its id and
 * runtime once the runtime has bound it, right after its factory returns; in its constructor it has neither.
 */
// protocol.md §5.5
export abstract class BaseAgent implements Agent {
  /** Factories of the subscriptions that registering the class adds. Not inherited; `@typeSubscription` adds to them. */
  static readonly subscriptions: readonly SubscriptionFactory[] = [];
  /** The turns of the class's agents, unless the registration says otherwise. Default: as the runtime says. */
  static readonly concurrency: AgentConcurrency | undefined = undefined;
  /** Turns that may run while a commit is under way, if the registration does not say. */
  static readonly runAhead: number | undefined = undefined;
  /** Whether several workers may serve the class's agents, unless the registration says otherwise. Default: false. */
  static readonly shared: boolean | undefined = undefined;
  /** The strategy by which a host chooses a worker for a shared agent, unless the registration says otherwise. Default: as the host says. */
  static readonly placement: AgentPlacement | undefined = undefined;
  /** Labels that a worker of a shared agent must have, unless the registration says otherwise. Default: none. */
  static readonly requires: WorkerLabels | undefined = undefined;
  /** Whether handlers hear the principal of each caller, unless the registration says otherwise. Default: false. */
  static readonly tellsPrincipal: boolean | undefined = undefined;

  /** Milliseconds without a turn until an agent is deactivated, unless the registration says otherwise. Default: see `LifeOptions`. */
  static readonly idleAfterMs: number | undefined = undefined;
  /** Largest number of live agents of a type, unless the registration says otherwise. Default: any number. */
  static readonly maxLive: number | undefined = undefined;

  readonly #description: string;
  #id: AgentId | undefined;
  #runtime: AgentRuntime | undefined;

  constructor(description: string) {
    if (typeof description !== "string") {
      throw new TroupeError("invalid-argument", "Agent description must be a string");
    }
    this.#description = description;
  }

  /**
   * Registers the class under an agent type: the messages it handles, its factory, its class's subscriptions and the
   * subscription to `{type}:…` topics. When one is refused, the runtime removes the type and the other subscriptions.
   *
   * @example
   * ```ts
   * await Greeter.register(runtime, "greeter", () => new Greeter("greets in English"));
   * ```
   */
  static async register<T extends BaseAgent>(
    this: AgentClass<T>,
    runtime: AgentRuntime,
    type: string | AgentType,
    factory: AgentFactory<NoInfer<T>>,
    options: RegisterOptions = {},
  ): Promise<AgentType> {
    assertRegistration(runtime, factory, options);
    // biome-ignore lint/complexity/noThisInStatic: the class it is called on is what gets registered
    return registerAgentClass(this, runtime, { type: agentTypeText(type), factory, options });
  }

  /** Returns the message types that a runtime learns when you register the class. */
  static handledTypes(): readonly MessageType[] {
    // biome-ignore lint/complexity/noThisInStatic: each class has its own
    return declaredTypes(this);
  }

  /**
   * Registers this one agent under an id, and subscribes it to topics whose *type* is its key. A refused registration adds no
   * agent and no subscription.
   */
  registerInstance(runtime: AgentRuntime, id: AgentId, options: RegisterInstanceOptions = {}): Promise<AgentId> {
    return registerAgent(this, runtime, id, options);
  }

  /** The agent's id. Throws `wrong-state` until a runtime has bound the agent. */
  get id(): AgentId {
    return this.#id ?? unbound(this);
  }

  /** The agent's runtime. Throws `wrong-state` until a runtime has bound the agent. */
  get runtime(): AgentRuntime {
    return this.#runtime ?? unbound(this);
  }

  /** Type, key and description. Throws `wrong-state` until a runtime has bound the agent. */
  get metadata(): AgentMetadata {
    const { type, key } = this.id;
    return { type, key, description: this.#description };
  }

  /** Called by runtimes. Binding to another id or runtime throws `wrong-state`. */
  bindIdAndRuntime(id: AgentId, runtime: AgentRuntime): void {
    if (this.#id !== undefined && !this.#id.equals(id)) {
      throw alreadyBound(`ID: it is ${this.#id} and can't be ${id} too.`);
    }
    if (this.#runtime !== undefined && this.#runtime !== runtime) {
      throw alreadyBound(`runtime, as ${this.#id ?? id}.`);
    }
    this.#id = id;
    this.#runtime = runtime;
  }

  /** Called by runtimes; override `onMessageImpl` instead. */
  onMessage(message: unknown, context: MessageContext): unknown {
    return this.onMessageImpl(message, context);
  }

  /** Called by runtimes before a message of a sequential agent is handled. By default every message has its turn alone. */
  turnKind(_message: unknown, _context: MessageContext): TurnKind {
    return "alone";
  }

  /** Handles a message. The value that it returns or resolves to is the answer of a call. */
  protected abstract onMessageImpl(message: unknown, context: MessageContext): unknown;

  /** Calls another agent in this agent's name. Pass `context.signal`, so that the call ends together with the handler's work. */
  sendMessage<Answer, Message = unknown>(
    message: Sendable<Message>,
    recipient: AgentId,
    options: Omit<SendOptionsWithAnswer<Answer>, "sender">,
  ): Promise<Answer>;
  sendMessage<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options?: Omit<SendOptions, "sender">,
  ): Promise<AnswerOf<Message>>;
  sendMessage(message: unknown, recipient: AgentId, options?: Omit<SendOptions, "sender">): Promise<unknown> {
    return this.runtime.sendMessage(message, recipient, { ...options, sender: this.id });
  }

  /**
   * Calls another agent in this agent's name; the answer comes in parts. Pass `context.signal`, so that the stream ends together with the
   * handler's work. In a handler that is a generator, `yield*` passes the chunks on, and its value is the answer. See `AgentRuntime.stream`.
   *
   * @example
   * ```ts
   * const poem = yield* this.stream(ask, new AgentId("poet", "default"), { signal });
   * ```
   */
  stream<Message>(
    message: Sendable<Message>,
    recipient: AgentId,
    options?: Omit<MessageStreamOptions, "sender">,
  ): MessageStream<ChunkOf<Message>, AnswerOf<Message>> {
    return this.runtime.stream<Message>(message, recipient, { ...options, sender: this.id });
  }

  /** Publishes an event in this agent's name. The agent itself does not get the event. */
  publishMessage<Message>(
    message: Sendable<Message>,
    topicId: TopicId,
    options?: Omit<PublishOptions, "sender">,
  ): Promise<void> {
    return this.runtime.publishMessage<Message>(message, topicId, { ...options, sender: this.id });
  }

  /**
   * Sends a call in this agent's name whose answer no caller awaits; it is kept and tried again until it was handled. In a turn of a
   * persistent agent it is kept together with the state, or not at all if the turn fails. See `AgentRuntime.tell`.
   */
  tell<Message>(message: Sendable<Message>, recipient: AgentId, options?: Omit<TellOptions, "sender">): Promise<void> {
    return this.runtime.tell<Message>(message, recipient, { ...options, sender: this.id });
  }

  /**
   * Sets the reminder of this name, or replaces it. When it is due, the message comes to this agent as a call, and `context.reminder`
   * tells about it. It fires at least once, never early, also after a restart if the store outlives the process. In a turn of a
   * persistent agent it is set together with the state; else it is set when the promise resolves.
   *
   * Names have up to 256 characters, messages up to 64 KiB. An agent has at most 1 000 reminders (`overloaded`). Periods are from 1 s, due
   * times within 100 years. Rejects with `invalid-argument` for anything else, and for a cron pattern that can't be read or never comes.
   *
   * @example
   * ```ts
   * await this.remindMe("payment", { after: "30m" }, PaymentDue({}));
   * await this.remindMe("report", { cron: "0 9 * * 1-5", timeZone: "Europe/Lisbon" }, Report({}));
   * ```
   */
  async remindMe<Message>(
    name: string,
    when: When,
    message: Sendable<Message>,
    options: ReminderOptions = {},
  ): Promise<void> {
    assertMessage(message);
    return postOf(this.runtime).remind(this.id, name, when, message, options);
  }

  /** Cancels a reminder, in a turn of a persistent agent together with the state. One that is not there is no error. */
  async cancelReminder(name: string): Promise<void> {
    return postOf(this.runtime).cancel(this.id, name);
  }

  /** Resolves to this agent's reminders, by name. */
  async reminders(): Promise<readonly ReminderInfo[]> {
    return postOf(this.runtime).list(this.id);
  }

  /** Override it together with `loadState` to keep state. By default it logs a warning (once for a type) and saves nothing. */
  saveState(): AgentState | Promise<AgentState> {
    warnOnce(
      this.runtime.logger,
      `save_state not implemented: agents of type ${this.id.type} save nothing. Override saveState to keep their state.`,
    );
    return {};
  }

  /** Override it together with `saveState`. By default it logs a warning (once for a type) and ignores the state. */
  loadState(_state: AgentState): void | Promise<void> {
    warnOnce(
      this.runtime.logger,
      `load_state not implemented: agents of type ${this.id.type} ignore theirs. Override loadState to take it.`,
    );
  }

  /**
   * Called once before the first message. Override it to get ready: messages wait until it has ended. If it throws or rejects, every
   * waiting message has that error, and the next message begins another activation with a new object. By default it does nothing.
   */
  onActivate(_context: ActivationContext): void | Promise<void> {}

  /**
   * Called once after the last message, before `close`, with the reason. Messages that come meanwhile wait for the next activation.
   * After `deactivationTimeoutMs` the runtime waits no longer. The runtime logs an error. By default it does nothing.
   */
  onDeactivate(_reason: DeactivationReason): void | Promise<void> {}

  /**
   * Starts a timer that ends with the activation. After `delayMs` the runtime delivers the message to this agent, as a call of its own
   * whose answer is dropped. A timer that repeats starts again when that turn has ended. Its turns count as use of the agent (`idleAfterMs`).
   * The timer does not keep the process alive. Throws `wrong-state` outside an activation, and `overloaded` beyond 1 000 timers.
   *
   * @example
   * ```ts
   * class Poller extends RoutedAgent {
   *   override onActivate() {
   *     this.startTimer(60_000, Poll({}), { repeats: true });
   *   }
   * }
   * ```
   */
  startTimer<Message>(delayMs: number, message: Sendable<Message>, options: AgentTimerOptions = {}): Timer {
    assertMessage(message);
    assertOptions(options, timerShape, "startTimer");
    return activationsIn(this.runtime).startTimer(this, { delayMs, message, repeats: options.repeats ?? false });
  }

  /**
   * The runtime does not deactivate the agent for being idle (`idleAfterMs`) before this many milliseconds have passed. Caps and
   * `deactivateAgent` may still end its activation. A later call with less time changes nothing.
   */
  keepActive(ms: number): void {
    activationsIn(this.runtime).keepActive(this, ms);
  }

  /** Called once when the runtime deactivates the agent, or closes. By default it does nothing. */
  close(): void | Promise<void> {}
}
brandClass(BaseAgent, "BaseAgent");

function activationsIn(runtime: AgentRuntime): ActivationPort {
  const port = activationsOf(runtime);
  if (port !== undefined) return port;
  const text = "This runtime keeps no activations: agents have timers in the runtimes of Troupe.";
  throw new TroupeError("wrong-state", text);
}

function unbound(agent: BaseAgent): never {
  throw new TroupeError(
    "wrong-state",
    `${agent.constructor.name} has no id and runtime yet: they are bound when the runtime has made it. ` +
      "In a factory use the { id, runtime } it is given.",
  );
}

// The first words are Python's: protocol.md §5.4.
function alreadyBound(what: string): TroupeError {
  const advice = "An agent has one id in one runtime: let the factory make a new agent each time, () => new Writer().";
  return new TroupeError("wrong-state", `Agent is already bound to a different ${what} ${advice}`);
}
