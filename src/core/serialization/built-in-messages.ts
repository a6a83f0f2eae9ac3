import { brandClass } from "../copies.ts";
import { wrongValue } from "../validation/option-values.ts";
import { jsonContentType, type MessageType } from "./message-type.ts";

const nullText = new TextEncoder().encode("null");

// On the wire `NoneType` with the JSON text `null`: protocol.md §4.5.
/**
 * The type of "no value", Python's `None`: the answer of a handler without a result. As a declared answer it promises
 * no value.
 */
export const voidMessage: MessageType<void> = {
  typeName: "NoneType",
  contentType: jsonContentType,
  identity: { by: "absence" },
  answer: undefined,
  // biome-ignore lint/suspicious/noConfusingVoidType: the values of MessageType<void>
  is: (value): value is void => value === undefined || value === null,
  serialize: () => nullText,
  deserialize: () => undefined,
};

// protocol.md §4.3
/**
 * A message of a type that this runtime does not know, with its original bytes. Agents may handle it with
 * `unknownPayloadMessage`; otherwise it counts as unhandled. When it is sent on, it keeps its own type name.
 */
export class UnknownPayload {
  readonly typeName: string;
  readonly dataContentType: string;
  readonly payload: Uint8Array;

  constructor(typeName: string, dataContentType: string, payload: Uint8Array) {
    if (!(payload instanceof Uint8Array))
      throw wrongValue("The bytes of an UnknownPayload must be a Uint8Array", payload);
    this.typeName = typeName;
    this.dataContentType = dataContentType;
    this.payload = payload;
  }
}
brandClass(UnknownPayload, "UnknownPayload");

/** Message type for handlers of messages whose type this runtime does not know. */
export const unknownPayloadMessage: MessageType<UnknownPayload> = {
  typeName: "UnknownPayload",
  contentType: "application/octet-stream",
  identity: { by: "prototype", prototype: UnknownPayload.prototype },
  answer: undefined,
  is: (value): value is UnknownPayload => value instanceof UnknownPayload,
  serialize: (value) => value.payload,
  deserialize: (bytes) => new UnknownPayload("UnknownPayload", "application/octet-stream", new Uint8Array(bytes)),
};
