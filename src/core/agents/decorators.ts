import { TroupeError } from "../errors.ts";
import type { BaseAgent } from "./base-agent.ts";
import {
  assertDeclared,
  type DeclaredHandler,
  type HandledMessage,
  Handler,
  type HandlerOptions,
  type HandlerResult,
  type MessageTypes,
  type NowOrLater,
} from "./handler.ts";
import type { MessageContext } from "./message-context.ts";

/** Decorates a public method whose parameters and result fit the declared message types. Other methods do not compile. */
export type HandlerDecorator<Message, Result> = <This extends BaseAgent>(
  method: (this: This, message: Message, context: MessageContext) => Result,
  context: ClassMethodDecoratorContext<This> & { readonly static: false; readonly private: false },
) => void;

/**
 * Declares that the method handles calls. It returns or resolves to the answer that the message's type names. An `async *` method yields the
 * chunks of the answer first.
 */
export function rpc<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, HandlerResult<Types>> {
  assertDeclared(types, options, "@rpc");
  return (method, context) => markHandler({ ...options, kind: "rpc", types }, method, context);
}

/** Declares that the method handles events. It returns nothing. */
export function event<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, NowOrLater<void>> {
  assertDeclared(types, options, "@event");
  return (method, context) => markHandler({ ...options, kind: "event", types }, method, context);
}

/** Declares that the method handles calls and events. */
export function messageHandler<const Types extends MessageTypes>(
  types: Types,
  options: HandlerOptions<HandledMessage<Types>> = {},
): HandlerDecorator<HandledMessage<Types>, HandlerResult<Types>> {
  assertDeclared(types, options, "@messageHandler");
  return (method, context) => markHandler({ ...options, kind: "message", types }, method, context);
}

const handlerKey = Symbol.for("troupe.handler");

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

/** Throws for TypeScript's older decorators: they get the method's name in the place of the context. */
function assertStandard(context: unknown): void {
  if (typeof context === "object" && context !== null) return;
  throw new TroupeError(
    "invalid-argument",
    `${String(context)} was decorated by TypeScript's experimental decorators; these are standard ones. ` +
      "Take experimentalDecorators out of tsconfig.json (or its like), or write a handler table.",
  );
}

/**
 * Returns the decorated methods of a class and its parents, in code-point order of their names. An override without a
 * decorator removes its parent's handler.
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

/** Compares texts by code points, as Python sorts them. JavaScript compares UTF-16 units. */
function compareByCodePoints(left: string, right: string): number {
  const rights = right[Symbol.iterator]();
  for (const character of left) {
    const other = rights.next();
    if (other.done === true) return 1;
    if (character !== other.value) return (character.codePointAt(0) ?? 0) - (other.value.codePointAt(0) ?? 0);
  }
  return rights.next().done === true ? 0 : -1;
}
