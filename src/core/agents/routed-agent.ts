import { brandClass } from "../copies.ts";
import { limitedLogOf } from "../limited-log.ts";
import { MessageIndex, messageTypeText } from "../serialization/message-index.ts";
import type { MessageType } from "../serialization/message-type.ts";
import { BaseAgent } from "./base-agent.ts";
import { decoratedHandlers } from "./decorators.ts";
import type { Handler } from "./handler.ts";
import { type HandlerSource, handlerTable } from "./handler-table.ts";
import type { MessageContext } from "./message-context.ts";
import type { TurnKind } from "./turns.ts";

/**
 * An agent that hands each message to the first handler that is declared for its exact type and accepts it. Handlers of the
 * table come first, in its order; then decorated methods, in the order of their names. A message without a handler goes to
 * `onUnhandledMessage`.
 *
 * Handlers of one agent interleave at their awaits. Ten concurrent deposits leave a wrong balance here:
 * @example
 * ```ts
 * class Account extends RoutedAgent {
 *   balance = 0;
 *
 *   static override readonly handlers = handlerTable<Account>().rpc(Deposit, async function ({ amount }) {
 *     const before = this.balance;
 *     await this.sendMessage(AskBank({ amount }), bank); // other deposits run meanwhile
 *     this.balance = before + amount; // right: this.balance += amount
 *     return Balance({ amount: this.balance });
 *   });
 * }
 * ```
 */
// protocol.md §5.5
export abstract class RoutedAgent extends BaseAgent {
  /** The class's handler table. A subclass with a table of its own adds this one with `including`. */
  static readonly handlers: HandlerSource = handlerTable<RoutedAgent>();

  readonly #handlers: MessageIndex<readonly Handler[]>;

  constructor(description: string) {
    super(description);
    this.#handlers = classHandlers(new.target).byType;
  }

  static override handledTypes(): readonly MessageType[] {
    // biome-ignore lint/complexity/noThisInStatic: each class has its own
    return [...super.handledTypes(), ...classHandlers(this).all.flatMap(({ types }) => types)];
  }

  protected override onMessageImpl(message: unknown, context: MessageContext): unknown {
    const handler = this.#handlerOf(message, context);
    return handler === undefined ? this.onUnhandledMessage(message, context) : handler.run(this, message, context);
  }

  /** Returns the kind that the handler of the message declares by `interleaves` and `readOnly`. */
  override turnKind(message: unknown, context: MessageContext): TurnKind {
    return this.#handlerOf(message, context)?.turn ?? "alone";
  }

  #handlerOf(message: unknown, context: MessageContext): Handler | undefined {
    const handlers = this.#handlers.find(message);
    if (handlers === undefined) return undefined;
    for (const handler of handlers) if (handler.accepts(message, context)) return handler;
    return undefined;
  }

  /** Called for a message that no handler takes. It returns the answer of a call. By default it logs at level `info`. */
  protected onUnhandledMessage(message: unknown, _context: MessageContext): unknown {
    const text = `Unhandled message: ${messageTypeText(message)}`;
    limitedLogOf(this.runtime.logger).info(text, { agent: String(this.id) }, `Unhandled message of ${this.id.type}`);
    return undefined;
  }
}
brandClass(RoutedAgent, "RoutedAgent");

/** A class whose table and decorated methods declare its agents' handlers. */
interface RoutedClass {
  readonly prototype: object;
  readonly handlers: HandlerSource;
}

/** All handlers of a class in the order in which an agent tries them, and the same by message type. */
interface ClassHandlers {
  readonly all: readonly Handler[];
  readonly byType: MessageIndex<readonly Handler[]>;
}

/** Returns the handlers of a class of routed agents; none for another value. */
export function handlersOf(agentClass: unknown): readonly Handler[] {
  return isRoutedClass(agentClass) ? classHandlers(agentClass).all : [];
}

function isRoutedClass(value: unknown): value is RoutedClass {
  return typeof value === "function" && value.prototype instanceof RoutedAgent;
}

/** Filled when the first agent of a class is made or registered. Classes do not change afterwards. */
const prepared = new WeakMap<RoutedClass, ClassHandlers>();

function classHandlers(routedClass: RoutedClass): ClassHandlers {
  const known = prepared.get(routedClass);
  if (known !== undefined) return known;
  const all = [...routedClass.handlers.handlers, ...decoratedHandlers(routedClass)];
  const byType = new MessageIndex<readonly Handler[]>();
  for (const handler of all) {
    for (const type of new Set(handler.types)) byType.set(type, [...(byType.get(type) ?? []), handler]);
  }
  const handlers = { all, byType };
  prepared.set(routedClass, handlers);
  return handlers;
}
