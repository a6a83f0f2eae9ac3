import type { MessageType } from "../serialization/message-type.ts";
import { handlersOf } from "./routed-agent.ts";

/** A message type that agents handle, and whether it comes as a call, as an event or as both. */
export interface HandledType {
  readonly type: MessageType;
  readonly takes: "call" | "event" | "message";
}

/** The types of closures, by their factories: their class has none. */
const typesOfFactories = new WeakMap<object, readonly MessageType[]>();

/** Notes the message types that the agents of a factory take. */
export function noteFactoryTypes(factory: object, types: readonly MessageType[]): void {
  typesOfFactories.set(factory, types);
}

/** Returns the message types of a class of agents, and of the factory that makes them. Empty: they declare none. */
export function handledTypesOf(agentClass: unknown, factory: object | undefined): readonly HandledType[] {
  const takes = new Map<MessageType, HandledType["takes"]>();
  for (const { types, kind } of handlersOf(agentClass)) {
    const way = kind === "rpc" ? "call" : kind;
    for (const type of types) takes.set(type, (takes.get(type) ?? way) === way ? way : "message");
  }
  const more = [...declaredBy(agentClass), ...((factory && typesOfFactories.get(factory)) ?? [])];
  for (const type of more) if (!takes.has(type)) takes.set(type, "message");
  return [...takes].map(([type, way]) => ({ type, takes: way }));
}

function declaredBy(agentClass: unknown): readonly MessageType[] {
  if (typeof agentClass !== "function" || !("handledTypes" in agentClass)) return [];
  const { handledTypes } = agentClass;
  if (typeof handledTypes !== "function") return [];
  const types: unknown = handledTypes.call(agentClass);
  // A class's `handledTypes` returns message types: registering it has given them to the runtime.
  return Array.isArray(types) ? (types as readonly MessageType[]) : [];
}
