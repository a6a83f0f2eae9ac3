import type { Branded } from "./message-type.ts";

declare const reason: unique symbol;

/** Stands in compile errors for a value that cannot be sent; its text says what to send instead. No value has this type. */
export interface NotAMessage<Reason extends string> {
  readonly [reason]: Reason;
}

/**
 * Parameter type of `sendMessage` and `publishMessage`: `Message`, or a compile error for a type that no runtime can
 * send. `unknown` and `any` compile; the runtime checks their values.
 *
 * In a generic function of your own, take `message: Sendable<Message>` and call `sendMessage<Message>(message, …)`.
 */
export type Sendable<Message> = [FaultOf<Message>] extends [never] ? Message : FaultOf<Message>;

// The branches apply to each member of a union; `any` would match all of them.
type FaultOf<Message> = 0 extends 1 & Message
  ? never
  : Message extends Branded<string, unknown> | Tagged
    ? never
    : Message extends undefined | null
      ? NotAMessage<"Nothing cannot be sent. Send a value of a declared message type.">
      : Message extends string | number | bigint | boolean | symbol
        ? NotAMessage<"A plain value cannot be sent. Declare a message with defineMessage and send a value of it.">
        : Message extends NamedType<infer Name>
          ? NotAMessage<`${TypeText<Name>}. Send a value of it.`>
          : Message extends AnyFunction
            ? NotAMessage<"A function or a class cannot be sent. Send a value of a declared message type.">
            : Message extends PromiseLike<unknown>
              ? NotAMessage<"A promise cannot be sent. Await it first.">
              : Message extends readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
                ? NotAMessage<"A collection cannot be sent by itself. Put it into a field of a declared message.">
                : Message extends PlainObject
                  ? NotAMessage<"A plain object cannot be sent. Make it with its message type; a spread or JSON copy has lost its type.">
                  : never;

/** A value of protobuf-es, however it was made. */
interface Tagged {
  readonly $typeName: string;
}

/** Members that every message type has, and messages lack. */
interface NamedType<Name extends string> {
  readonly typeName: Name;
  readonly contentType: string;
  serialize(value: never): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

// `classMessage` and `protobufMessage` don't keep the name in the type.
type TypeText<Name extends string> = string extends Name
  ? "This is a message type"
  : `${Name} is a message type: call it with the fields of a message, ${Name}({ … })`;

type AnyFunction = ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown);

/** The compiler lets anonymous object types pass for an index signature, and no class or interface. */
interface PlainObject {
  readonly [field: string]: unknown;
}
