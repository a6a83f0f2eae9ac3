import { TroupeError } from "../errors.ts";
import { FunctionCall, FunctionExecutionResult } from "../tools/function-call.ts";
import { anyTypeName } from "./any-type-name.ts";
import { assertMessageType } from "./assert-message-type.ts";
import { brandOf, MessageIndex } from "./message-index.ts";
import { jsonContentType, type MessageType, protobufContentType } from "./message-type.ts";
import { messageTypeText } from "./message-type-text.ts";
import { UnknownPayload } from "./unknown-payload.ts";
import { voidMessage } from "./void-message.ts";

/** A message's bytes with what names them on the wire. */
export interface EncodedMessage {
  readonly typeName: string;
  readonly contentType: string;
  readonly data: Uint8Array;
}

/**
 * Turns messages into bytes and back, by the types it was told of (protocol.md §4). A type is known under the pair of
 * its name and content type; a later one replaces an earlier one. Values that carry their type need not be registered
 * to be sent. It knows from the start what every worker may meet (protocol.md §4.5): nothing, and calls of tools.
 */
export class CodecRegistry {
  readonly #byContentType = new Map<string, Map<string, MessageType>>();
  /** The types of a value: one, or one for each content type, the newest first. */
  readonly #byIdentity = new MessageIndex<readonly MessageType[]>();
  /** Protobuf types by their full names, which their bytes carry whatever the sender calls them (protocol.md §4.2). */
  readonly #byFullName = new Map<string, MessageType>();

  constructor(types: readonly MessageType[] = []) {
    this.add([voidMessage, FunctionCall, FunctionExecutionResult, ...types]);
  }

  /** Throws `invalid-argument` for what is no message type. */
  add(types: MessageType | readonly MessageType[]): void {
    for (const type of isList(types) ? types : [types]) {
      assertMessageType(type, "What a runtime is told with addMessageSerializer");
      const contentType = essence(type.contentType);
      const names = this.#byContentType.get(contentType) ?? new Map<string, MessageType>();
      this.#byContentType.set(contentType, names.set(type.typeName, type));
      const others = (this.#byIdentity.get(type) ?? []).filter((other) => essence(other.contentType) !== contentType);
      this.#byIdentity.set(type, [type, ...others]);
      if (contentType === protobufContentType && type.identity.by === "tag") {
        this.#byFullName.set(type.identity.value, type);
      }
    }
  }

  /** Whether a message of this name and content type can be read. */
  has(typeName: string, contentType: string): boolean {
    return this.#lookUp(typeName, contentType) !== undefined;
  }

  /** The type a value is written with: its own, or the registered one; of several that of the preferred content type. */
  typeOf(value: unknown, preferredContentType?: string): MessageType | undefined {
    const brand = brandOf(value);
    if (brand !== undefined && (preferredContentType === undefined || brand.contentType === preferredContentType)) {
      return brand;
    }
    const types = this.#byIdentity.find(value);
    if (types === undefined || types.length === 0) return brand;
    return types.find(({ contentType }) => contentType === preferredContentType) ?? brand ?? types[0];
  }

  /**
   * The error to refuse a value with that is of no known type: a text, a promise, a message type, a plain object. Looks at
   * the value's type only, so it is cheap. Undefined when the value can be sent, as far as its type tells.
   */
  refusalOf(value: unknown): TroupeError | undefined {
    if (this.typeOf(value) !== undefined || value instanceof UnknownPayload) return undefined;
    return new TroupeError("invalid-message", undeclared(value));
  }

  /**
   * As `refusalOf`, for the answer to a call whose caller expects `promised`: that type is known from then on.
   */
  refusalOfAnswer(answer: unknown, promised: MessageType | undefined): TroupeError | undefined {
    if (this.typeOf(answer) !== undefined) return undefined;
    if (promised?.is(answer) !== true) return this.refusalOf(answer);
    this.add(promised);
    return undefined;
  }

  /**
   * Throws `invalid-message` when the value's type is not known or the value can't be written. The type that the
   * message names as its answer is known from then on.
   */
  encode(value: unknown, preferredContentType?: string): EncodedMessage {
    if (value instanceof UnknownPayload) {
      return { typeName: value.typeName, contentType: value.dataContentType, data: value.payload };
    }
    const type = this.typeOf(value, preferredContentType);
    if (type === undefined) throw new TroupeError("invalid-message", undeclared(value));
    const answer = type.answer;
    if (answer !== undefined && !this.has(answer.typeName, answer.contentType)) this.add(answer);
    return { typeName: type.typeName, contentType: type.contentType, data: type.serialize(value) };
  }

  /**
   * The message, or an `UnknownPayload` when its type is not known: not by this name, and if it is protobuf not by the
   * name in its bytes either. Throws `invalid-message` when it can't be read.
   */
  decode(typeName: string, contentType: string, bytes: Uint8Array): unknown {
    const type = this.#lookUp(typeName, contentType) ?? this.#named(contentType, bytes);
    if (type !== undefined) return type.deserialize(bytes);
    // It keeps the bytes, and must not keep the buffer that they came in with others.
    return new UnknownPayload(typeName, contentType, new Uint8Array(bytes));
  }

  #lookUp(typeName: string, contentType: string): MessageType | undefined {
    const names = this.#byContentType.get(contentType) ?? this.#byContentType.get(essence(contentType));
    return names?.get(typeName);
  }

  #named(contentType: string, bytes: Uint8Array): MessageType | undefined {
    if (this.#byFullName.size === 0 || essence(contentType) !== protobufContentType) return undefined;
    return this.#byFullName.get(anyTypeName(bytes));
  }
}

/** A content type without its parameters, in lower case. */
function essence(contentType: string): string {
  if (contentType === jsonContentType) return contentType;
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

function undeclared(value: unknown): string {
  const name = messageTypeText(value);
  return (
    `Unknown type ${name}: the value can't be sent because it is of no declared message type. ` +
    "Make it with defineMessage (a copy by spread or JSON has lost its mark: call the type again), " +
    "or declare its class with classMessage or its schema with protobufMessage and pass that to addMessageSerializer."
  );
}

function isList(types: MessageType | readonly MessageType[]): types is readonly MessageType[] {
  return Array.isArray(types);
}
