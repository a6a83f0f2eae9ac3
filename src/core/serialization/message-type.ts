import { TroupeError } from "../errors.ts";
import { reservedMessageType } from "../reserved-names.ts";
import { wrongValue } from "../validation/option-values.ts";
import type { JsonSchemaObject } from "./json-schema.ts";

// protocol.md §4.1
/** The content type of JSON payloads on the wire. */
export const jsonContentType = "application/json";
/** The content type of protobuf payloads on the wire. Such a payload is the bytes of a `google.protobuf.Any`. */
export const protobufContentType = "application/x-protobuf";

// protocol.md §3.1
/** Returns a content type without its parameters, in lower case, for comparison. */
export function bareContentType(contentType: string): string {
  if (contentType === jsonContentType) return contentType;
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** The way to recognize the values of a type in one step. */
export type MessageIdentity =
  /** The value's prototype carries its type (`defineMessage`). */
  | { readonly by: "brand" }
  /** The value's prototype is exactly this one (`classMessage`). */
  | { readonly by: "prototype"; readonly prototype: object }
  /** The value has this own property with this text (protobuf-es: `$typeName`). */
  | { readonly by: "tag"; readonly property: string; readonly value: string }
  /** The value is undefined or null (`voidMessage`). */
  | { readonly by: "absence" };

/**
 * A message type: its wire name, and how to recognize, encode and decode its values. Declare one with `defineMessage`,
 * `classMessage` or `protobufMessage`. It plays the part of AutoGen's `MessageSerializer`. A later registration with
 * the same `typeName` and `contentType` replaces an earlier one.
 */
export interface MessageType<T = unknown, Answer = unknown, Chunk = unknown> {
  readonly typeName: string;
  readonly contentType: string;
  readonly identity: MessageIdentity;
  /** Declared type of the answer to a call with this message. */
  readonly answer: MessageType<Answer> | undefined;
  /** Declared type of the chunks of an answer that comes in parts. Default: not declared. */
  readonly chunk?: MessageType<Chunk> | undefined;
  /** Returns the chunks that a reader sees of an answer that came in one piece. Default: none. */
  readonly whole?: WholeAnswer<Answer, Chunk> | undefined;
  /** Whether a value has exactly this type. An instance of a subclass has not. */
  is(value: unknown): value is T;
  /** Encodes a value. Throws `invalid-message` if it cannot. */
  serialize(value: T): Uint8Array;
  /**
   * Decodes bytes. Throws `invalid-message` if they cannot be decoded or are not valid. The bytes may be part of a
   * larger network buffer. A type that keeps some of them must copy them: `new Uint8Array(bytes)`.
   */
  deserialize(bytes: Uint8Array): T;
  /**
   * Returns the JSON Schema (draft 2020-12) of the JSON that this type reads, so that tools can offer a form. It may be left out. Undefined: the
   * schema's library makes none.
   */
  readonly jsonSchema?: (() => JsonSchemaObject | undefined) | undefined;
}

/** Returns the chunks of an answer that came in one piece. */
// A method, so that a message type with an answer is one with any answer.
export type WholeAnswer<Answer, Chunk> = { whole(answer: Answer): Iterable<Chunk> }["whole"];

/**
 * Key under which the prototype of a branded value holds its `MessageType`. Copies of the package share it. The type is
 * `never` because `Symbol.for` has no unique type.
 */
export const messageTypeKey: unique symbol = Symbol.for("troupe.messageType") as never;

declare const answerBrand: unique symbol;
declare const chunkBrand: unique symbol;
declare const messageName: unique symbol;

/**
 * The compile-time mark of a message made by `defineMessage`: its name on the wire, the type of its answer, and that of its chunks.
 * A spread (`{ ...ask }`) loses the mark, as the copy loses its message type: call the type again.
 */
// A class with accessors, never made: the compiler leaves members of classes out of a spread, and keeps those of interfaces.
export declare abstract class Branded<Name extends string, Answer, Chunk = unknown> {
  get [messageName](): Name;
  get [answerBrand](): Answer;
  get [chunkBrand](): Chunk;
}

/**
 * Declares the answer of a message class: `interface Ask extends Answers<Greeting> {}` gives `sendMessage` its result
 * type. For protobuf-es, create values with `create` of their message type.
 */
export interface Answers<Answer> {
  readonly [answerBrand]?: Answer;
}

/**
 * Declares the chunks of the answer to a message class: `interface Ask extends Answers<Poem>, Chunks<Line> {}` gives `stream` the type of its
 * chunks.
 */
export interface Chunks<Chunk> {
  readonly [chunkBrand]?: Chunk;
}

/** Type of the answer to a message; `unknown` if the message does not declare one. */
export type AnswerOf<M> = M extends { readonly [answerBrand]?: infer Answer } ? Answer : unknown;

/** Type of the chunks of the answer to a message; `unknown` if the message does not declare one. */
export type ChunkOf<M> = M extends { readonly [chunkBrand]?: infer Chunk } ? Chunk : unknown;

/** Type of the values of a message type: `MessageOf<typeof Greeting>`. */
export type MessageOf<Type> = Type extends MessageType<infer T, infer _Answer, infer _Chunk> ? T : never;

/** Throws `invalid-argument` for what can't be the name of a message type, and for a name of Troupe's own. */
export function assertName(name: unknown): void {
  if (typeof name !== "string") throw wrongValue("The name of a message type must be a text", name);
  if (name === "") throw new TroupeError("invalid-argument", "A message type needs a name.");
  const reserved = reservedMessageType(name, "invalid-argument");
  if (reserved !== undefined) throw reserved;
}

/** Throws `invalid-argument` for a value that is not a message type, such as a schema. `what` begins the text. */
export function assertMessageType(type: unknown, what: string): void {
  if ((typeof type === "object" && type !== null) || typeof type === "function") {
    if ("typeName" in type && "serialize" in type && typeof type.serialize === "function") return;
  }
  const schema = "Give a schema or a class a name with defineMessage, classMessage or protobufMessage.";
  throw new TroupeError("invalid-argument", `${what} must be a message type. ${schema}`);
}
