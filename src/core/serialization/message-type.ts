/** The content types of the wire (protocol.md §4.1). Protobuf payloads are the bytes of a `google.protobuf.Any`. */
export const jsonContentType = "application/json";
export const protobufContentType = "application/x-protobuf";

/** How a registry finds the type of a value in one step. */
export type MessageIdentity =
  /** The value carries its type under `messageTypeOf` (what `defineMessage` makes). */
  | { readonly by: "brand" }
  /** The value's prototype is exactly this one (`classMessage`). */
  | { readonly by: "prototype"; readonly prototype: object }
  /** The value has this own property with this text (protobuf-es: `$typeName`). */
  | { readonly by: "tag"; readonly property: string; readonly value: string }
  /** The value is undefined or null (`voidMessage`). */
  | { readonly by: "absence" };

/**
 * A type of message: its name on the wire, how its values are told from others, written and read. Declared once with
 * `defineMessage`, `classMessage` or `protobufMessage`; it is AutoGen's `MessageSerializer` and the type in one.
 * Registered under the pair (`typeName`, `contentType`); a later registration of the pair replaces an earlier one.
 */
export interface MessageType<T = unknown, Answer = unknown> {
  readonly typeName: string;
  readonly contentType: string;
  readonly identity: MessageIdentity;
  /** The type that answers a call with this one, if declared. */
  readonly answer: MessageType<Answer> | undefined;
  /** Whether a value is exactly of this type (an instance of a subclass is not). */
  is(value: unknown): value is T;
  /** Throws `invalid-message` when the value can't be written. */
  serialize(value: T): Uint8Array;
  /**
   * Throws `invalid-message` when the bytes can't be read or don't validate. They may be part of a larger buffer from
   * the network: a message that keeps some of them keeps a copy, `new Uint8Array(bytes)`.
   */
  deserialize(bytes: Uint8Array): T;
}

/**
 * Key under which a branded value holds its `MessageType` (on its prototype, so that it is not copied or printed). Two copies of
 * the package share it; `never`, because `Symbol.for` has no unique type.
 */
export const messageTypeKey: unique symbol = Symbol.for("troupe.messageType") as never;

declare const answerBrand: unique symbol;
declare const messageName: unique symbol;

/**
 * The compile-time mark of a message made by `defineMessage`: its name on the wire and the type of its answer.
 * A spread (`{ ...ask }`) loses the mark, as the copy loses its message type: call the type again.
 */
// A class with accessors, never made: the compiler leaves members of classes out of a spread, and keeps those of interfaces.
export declare abstract class Branded<Name extends string, Answer> {
  get [messageName](): Name;
  get [answerBrand](): Answer;
}

/**
 * Types the answer of `sendMessage` for a class: `interface Ask extends Answers<Greeting> {}`. For protobuf messages,
 * `create` of the message type makes values that are typed so.
 */
export interface Answers<Answer> {
  readonly [answerBrand]?: Answer;
}

/** The type of the answer to a message; `unknown` when the message does not name one. */
export type AnswerOf<M> = M extends { readonly [answerBrand]?: infer Answer } ? Answer : unknown;

/** The values of a message type: `MessageOf<typeof Greeting>`. */
export type MessageOf<Type> = Type extends MessageType<infer T, infer _Answer> ? T : never;
