import { jsonContentType, type MessageType } from "./message-type.ts";

const nullText = new TextEncoder().encode("null");

/**
 * "Nothing": what a handler without a result answers, Python's `None`. Declared as an answer it promises that there is
 * none. On the wire `NoneType` with the JSON text `null` (protocol.md §4.5).
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

/**
 * A message whose type nobody here has declared, with its bytes as they came (protocol.md §4.3). Agents may declare a
 * handler for it (`unknownPayloadMessage`); by default it is unhandled. Sent on, it travels under its own type name.
 */
export class UnknownPayload {
  readonly typeName: string;
  readonly dataContentType: string;
  readonly payload: Uint8Array;

  constructor(typeName: string, dataContentType: string, payload: Uint8Array) {
    this.typeName = typeName;
    this.dataContentType = dataContentType;
    this.payload = payload;
  }
}

/** The type to declare a handler for messages of undeclared types with. */
export const unknownPayloadMessage: MessageType<UnknownPayload> = {
  typeName: "UnknownPayload",
  contentType: "application/octet-stream",
  identity: { by: "prototype", prototype: UnknownPayload.prototype },
  answer: undefined,
  is: (value): value is UnknownPayload => value instanceof UnknownPayload,
  serialize: (value) => value.payload,
  deserialize: (bytes) => new UnknownPayload("UnknownPayload", "application/octet-stream", new Uint8Array(bytes)),
};
