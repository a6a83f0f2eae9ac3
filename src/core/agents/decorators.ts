import { compareByCodePoints } from "../collections/code-point-order.ts";
import { TroupeError } from "../errors.ts";
import type { BaseAgent } from "./base-agent.ts";
import {
  type DeclaredHandler,
  type HandledAnswer,
  type HandledMessage,
  Handler,
  type HandlerOptions,
  type MessageTypes,
  type NowOrLater,
} from "./handler.ts";
import type { MessageContext } from "./message-context.ts";

/** Takes a public method whose parameters and result fit the declared message types; others are compile errors. */
export type HandlerDecorator<Message, Result> = <This extends BaseAgent>(
  method: (this: This, message: Message, context: MessageContext) => Result,
  context: ClassMethodDecoratorContext<This> & { readonly static: false; readonly private: false },
) => void;

/** The method takes calls, and returns or resolves to the answer that the message's type names. */
export function rpc<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, NowOrLater<HandledAnswer<Types>>> {
  return (method, context) => markHandler({ ...options, kind: "rpc", types }, method, context);
}

/** The method takes events; it returns nothing. */
export function event<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, NowOrLater<void>> {
  return (method, context) => markHandler({ ...options, kind: "event", types }, method, context);
}

/** The method takes calls and events alike. */
export function messageHandler<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, NowOrLater<HandledAnswer<Types>>> {
  return (method, context) => markHandler({ ...options, kind: "message", types }, method, context);
}

const handlerKey = Symbol("troupe.handler");

function markHandler(
  declared: Omit<DeclaredHandler, "handle">,
  handle: DeclaredHandler["handle"],
  context: { readonly name: string | symbol; readonly static: boolean; readonly private: boolean },
): void {
  assertStandard(context);
  const name = String(context.name);
  if (context.static || context.private || typeof context.name === "symbol") {
    throw new TroupeError(
      "invalid-argument",
      `${name} can't be a handler: only public methods with a name of text can.`,
    );
  }
  if (Object.hasOwn(handle, handlerKey)) {
    throw new TroupeError("invalid-argument", `${name} is a handler already: give one decorator a list of types.`);
  }
  Object.defineProperty(handle, handlerKey, { value: new Handler({ ...declared, handle }) });
}

/** TypeScript's older decorators are given the method's name where the standard's have a context. */
function assertStandard(context: unknown): void {
  if (typeof context === "object" && context !== null) return;
  throw new TroupeError(
    "invalid-argument",
    `${String(context)} was decorated by TypeScript's experimental decorators; these are standard ones. ` +
      "Take experimentalDecorators out of tsconfig.json (or its like), or write a handler table.",
  );
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
