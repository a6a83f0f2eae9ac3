import type { BaseAgent } from "./base-agent.ts";
import { compareByCodePoints } from "./code-point-order.ts";
import { TroupeError } from "./errors.ts";
import {
  type HandledAnswer,
  type HandledMessage,
  Handler,
  type HandlerKind,
  type HandlerOptions,
  type MessageTypes,
  type NowOrLater,
} from "./handler.ts";
import type { MessageContext } from "./message-context.ts";

/** Takes a public method whose parameters and result fit the declared message types; others are compile errors. */
export type HandlerDecorator<Message, Result> = <
  This extends BaseAgent,
  Method extends (this: This, message: Message, context: MessageContext) => Result,
>(
  method: Method,
  context: ClassMethodDecoratorContext<This, Method>,
) => Method;

/** The method takes calls, and returns or resolves to the answer that the message's type names. */
export function rpc<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, NowOrLater<HandledAnswer<Types>>> {
  return (method, context) => markHandler("rpc", types, options, method, context);
}

/** The method takes events; it returns nothing. */
export function event<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, NowOrLater<void>> {
  return (method, context) => markHandler("event", types, options, method, context);
}

/** The method takes calls and events alike. */
export function messageHandler<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, NowOrLater<HandledAnswer<Types>>> {
  return (method, context) => markHandler("message", types, options, method, context);
}

const handlerKey = Symbol("troupe.handler");

/**
 * Marks the method, and makes direct calls of it keep the promises that routed messages keep (Python's wrapper does);
 * the routing itself calls the method as it was written.
 */
function markHandler<Message, Method extends (message: Message, context: MessageContext) => unknown>(
  kind: HandlerKind,
  types: MessageTypes,
  options: HandlerOptions<Message>,
  method: Method,
  context: { readonly name: string | symbol; readonly static: boolean; readonly private: boolean },
): Method {
  const name = String(context.name);
  if (context.static || context.private || typeof context.name === "symbol") {
    throw new TroupeError(
      "invalid-argument",
      `${name} can't be a handler: only public methods with a name of text can.`,
    );
  }
  if (Object.hasOwn(method, handlerKey)) {
    throw new TroupeError("invalid-argument", `${name} is a handler already: give one decorator a list of types.`);
  }
  const handler = new Handler({ ...options, kind, types, handle: method });
  Object.defineProperty(method, handlerKey, { value: handler });
  return new Proxy(method, {
    apply(target, agent, args) {
      handler.checkMessage(agent, args[0]);
      return handler.checkResult(agent, Reflect.apply(target, agent, args));
    },
  });
}

/**
 * The decorated methods of a class, inherited ones included, in code-point order of their names. An override that is
 * not decorated takes its parent's handler away.
 */
export function decoratedHandlers(agentClass: { readonly prototype: object }): readonly Handler[] {
  const methods = new Map<string, unknown>();
  let prototype: object | null = agentClass.prototype;
  while (prototype !== null && prototype !== Object.prototype) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (!methods.has(name)) methods.set(name, property.value);
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  return [...methods]
    .sort(([left], [right]) => compareByCodePoints(left, right))
    .flatMap(([, method]) => (typeof method === "function" ? handlerOf(method) : []));
}

function handlerOf(method: object): Handler | [] {
  const handler: unknown = Object.hasOwn(method, handlerKey) ? Reflect.get(method, handlerKey) : undefined;
  return handler instanceof Handler ? handler : [];
}
