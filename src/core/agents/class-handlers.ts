import { MessageIndex } from "../serialization/message-index.ts";
import { decoratedHandlers } from "./decorators.ts";
import type { Handler } from "./handler.ts";
import type { HandlerSource } from "./handler-table.ts";

/** A class whose table and decorated methods declare its agents' handlers. */
export interface RoutedClass {
  readonly prototype: object;
  readonly handlers: HandlerSource;
}

/** All handlers of a class in the order in which an agent tries them, and the same by message type. */
export interface ClassHandlers {
  readonly all: readonly Handler[];
  readonly byType: MessageIndex<readonly Handler[]>;
}

/** Filled when the first agent of a class is made or registered. Classes do not change afterwards. */
const prepared = new WeakMap<RoutedClass, ClassHandlers>();

export function classHandlers(routedClass: RoutedClass): ClassHandlers {
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
