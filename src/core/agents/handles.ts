import { assertMessageType, type MessageType } from "../serialization/message-type.ts";
import type { BaseAgent } from "./base-agent.ts";

const declaredTypesKey = Symbol.for("troupe.declaredTypes");

/** Decorates an agent class: registering it teaches the runtime these message types too, beside those of its handlers. Not inherited. */
export function handles(
  ...types: readonly MessageType[]
): (agentClass: abstract new (...args: never[]) => BaseAgent, context: ClassDecoratorContext) => void {
  for (const type of types) assertMessageType(type, "What @handles is given");
  return (agentClass) => {
    const value = [...declaredTypes(agentClass), ...types];
    Object.defineProperty(agentClass, declaredTypesKey, { value, configurable: true });
  };
}

/** Returns the types that `@handles` declared on exactly this class. */
export function declaredTypes(agentClass: object): readonly MessageType[] {
  return Object.hasOwn(agentClass, declaredTypesKey) ? Reflect.get(agentClass, declaredTypesKey) : [];
}
