import type { MessageType } from "../serialization/message-type.ts";
import type { BaseAgent } from "./base-agent.ts";

const declaredTypesKey = Symbol("troupe.declaredTypes");

/** Further message types that a runtime learns when the class is registered, beside those its handlers name. Not inherited. */
export function handles(
  ...types: readonly MessageType[]
): (agentClass: abstract new (...args: never[]) => BaseAgent, context: ClassDecoratorContext) => void {
  return (agentClass) => {
    const value = [...declaredTypes(agentClass), ...types];
    Object.defineProperty(agentClass, declaredTypesKey, { value, configurable: true });
  };
}

/** What `@handles` declared on exactly this class. */
export function declaredTypes(agentClass: object): readonly MessageType[] {
  return Object.hasOwn(agentClass, declaredTypesKey) ? Reflect.get(agentClass, declaredTypesKey) : [];
}
