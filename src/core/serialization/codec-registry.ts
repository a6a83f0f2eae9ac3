import { asList } from "../collections/as-list.ts";
import { TroupeError } from "../errors.ts";
import { reservedMessageType } from "../reserved-names.ts";
import { runMessages } from "../runs/run-messages.ts";
import { isThenable } from "../thenable.ts";
import { FunctionCall, FunctionExecutionResult } from "../tools/function-call.ts";
import { UnknownPayload, voidMessage } from "./built-in-messages.ts";
import { brandOf, MessageIndex, messageTypeText } from "./message-index.ts";
import {
  assertMessageType,
  assertName,
  bareContentType,
  type MessageType,
  protobufContentType,
} from "./message-type.ts";

/** The bytes of a message, with its type name and content type. */
export interface EncodedMessage {
  readonly typeName: string;
  readonly contentType: string;
  readonly data: Uint8Array;
}

// protocol.md §4, §4.5
/**
 * Encodes and decodes messages by their registered types. The key of a type is its name with its content type; a later
 * type with the same key replaces an earlier one. Values that carry their own type need no registration to be sent. The
 * registry always knows the void type, the tool calls and the messages of runs.
 */
export class CodecRegistry {
  readonly #byContentType = new Map<string, Map<string, MessageType>>();
  /** The types of a value: one for each content type, the newest first. */
  readonly #byIdentity = new MessageIndex<readonly MessageType[]>();
  // protocol.md §4.2
  /** Protobuf types by full name, which their bytes contain whatever name the sender uses. */
  readonly #byFullName = new Map<string, MessageType>();

  constructor(types: readonly MessageType[] = []) {
    for (const type of runMessages) this.#put(type);
    this.add([voidMessage, FunctionCall, FunctionExecutionResult, ...types]);
  }

  /** Registers types. Throws `invalid-argument` for a value that is not a message type. */
  add(types: MessageType | readonly MessageType[]): void {
    for (const type of asList(types)) {
      assertMessageType(type, "What a runtime is told with addMessageSerializer");
      assertName(type.typeName);
      this.#put(type);
    }
  }

  #put(type: MessageType): void {
    const contentType = bareContentType(type.contentType);
    const names = this.#byContentType.get(contentType) ?? new Map<string, MessageType>();
    this.#byContentType.set(contentType, names.set(type.typeName, type));
    const others = (this.#byIdentity.get(type) ?? []).filter(
      (other) => bareContentType(other.contentType) !== contentType,
    );
    this.#byIdentity.set(type, [type, ...others]);
    if (contentType === protobufContentType && type.identity.by === "tag") {
      this.#byFullName.set(type.identity.value, type);
    }
  }

  /** Whether a message with this name and content type can be decoded. */
  has(typeName: string, contentType: string): boolean {
    return this.#lookUp(typeName, contentType) !== undefined;
  }

  /**
   * Returns the type that encodes a value: its own, or the registered one. Of several, the one with the preferred
   * content type.
   */
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
   * Returns the error that refuses a value of no known type: a text, a promise, a message type, a plain object. Undefined: the
   * value can be sent, as far as its type tells. It looks at the type alone and not at the fields, so that it costs little.
   */
  refusalOf(value: unknown): TroupeError | undefined {
    if (this.typeOf(value) !== undefined) return undefined;
    // An agent that passes such a message on would ask Troupe for something in its own name.
    if (value instanceof UnknownPayload) return reservedMessageType(value.typeName, "invalid-message");
    return new TroupeError("invalid-message", undeclared(value));
  }

  /** As `refusalOf`, for the answer to a call whose caller expects `promised`. The registry knows that type from then on. */
  refusalOfAnswer(answer: unknown, promised: MessageType | undefined): TroupeError | undefined {
    if (this.typeOf(answer) !== undefined) return undefined;
    if (promised?.is(answer) !== true) return this.refusalOf(answer);
    this.add(promised);
    return undefined;
  }

  /**
   * Encodes a value. Registers the answer and the chunk that its type declares. Throws `invalid-message` if the type is unknown or
   * the value cannot be encoded.
   */
  encode(value: unknown, preferredContentType?: string): EncodedMessage {
    if (value instanceof UnknownPayload) {
      const reserved = this.refusalOf(value);
      if (reserved !== undefined) throw reserved;
      return { typeName: value.typeName, contentType: value.dataContentType, data: value.payload };
    }
    const type = this.typeOf(value, preferredContentType);
    if (type === undefined) throw new TroupeError("invalid-message", undeclared(value));
    const { answer, chunk } = type;
    if (answer !== undefined && !this.has(answer.typeName, answer.contentType)) this.add(answer);
    if (chunk !== undefined && !this.has(chunk.typeName, chunk.contentType)) this.add(chunk);
    return { typeName: type.typeName, contentType: type.contentType, data: type.serialize(value) };
  }

  /**
   * Decodes a message. Returns an `UnknownPayload` if neither the name nor, for protobuf, the name in the bytes is
   * known. Throws `invalid-message` if the bytes cannot be decoded.
   */
  decode(typeName: string, contentType: string, bytes: Uint8Array): unknown {
    const type = this.#lookUp(typeName, contentType) ?? this.#named(contentType, bytes);
    if (type !== undefined) return type.deserialize(bytes);
    // A copy: the payload must not keep the network buffer alive.
    return new UnknownPayload(typeName, contentType, new Uint8Array(bytes));
  }

  #lookUp(typeName: string, contentType: string): MessageType | undefined {
    const names = this.#byContentType.get(contentType) ?? this.#byContentType.get(bareContentType(contentType));
    return names?.get(typeName);
  }

  #named(contentType: string, bytes: Uint8Array): MessageType | undefined {
    if (this.#byFullName.size === 0 || bareContentType(contentType) !== protobufContentType) return undefined;
    return this.#byFullName.get(anyTypeName(bytes));
  }
}

function undeclared(value: unknown): string {
  if (isMessageType(value)) {
    const { typeName } = value;
    return `${typeName} is a message type, not a message. Call it with the fields of a message, ${typeName}({ … }), and send what it returns.`;
  }
  if (isThenable(value)) return "A promise can't be sent. Await it, and send what it resolves to.";
  const name = messageTypeText(value);
  return (
    `Unknown type ${name}: the value can't be sent because it is of no declared message type. ` +
    "Make it with defineMessage (a copy by spread or JSON has lost its mark: call the type again), " +
    "or declare its class with classMessage or its schema with protobufMessage and pass that to addMessageSerializer."
  );
}

function isMessageType(value: unknown): value is { readonly typeName: string } {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return false;
  return (
    "serialize" in value &&
    typeof value.serialize === "function" &&
    "typeName" in value &&
    typeof value.typeName === "string"
  );
}

/**
 * Returns the full name of the message in the bytes of a `google.protobuf.Any`: the part after the last `/` of its
 * first field. Empty if there is none. Core has no protobuf library, so it reads the field itself.
 */
function anyTypeName(bytes: Uint8Array): string {
  if (bytes[0] !== typeUrlTag) return "";
  let length = 0;
  let at = 1;
  for (let shift = 0; shift <= 21; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (at + length > bytes.length) return "";
  const url = utf8.decode(bytes.subarray(at, at + length));
  return url.slice(url.lastIndexOf("/") + 1);
}

/** Field 1, length-delimited. */
const typeUrlTag = 0x0a;
const utf8 = new TextDecoder();
