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
