import { TroupeError } from "../errors.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import { bareContentType, jsonContentType } from "../serialization/message-type.ts";

/** A message as text: its JSON, or its bytes in base64 if its content type is another one. */
export interface EncodedText {
  readonly typeName: string;
  readonly contentType: string;
  readonly text: string;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** Characters that `String.fromCharCode` takes at once. */
const step = 8_192;

/** Encodes a message. Throws `invalid-message` for one that can't be sent. The registry knows its type from then on. */
export function encodeText(codecs: CodecRegistry, message: unknown): EncodedText {
  const type = codecs.typeOf(message, jsonContentType);
  const { typeName, contentType, data } = codecs.encode(message, jsonContentType);
  if (type !== undefined && !codecs.has(typeName, contentType)) codecs.add(type);
  const isJson = bareContentType(contentType) === jsonContentType;
  return { typeName, contentType, text: isJson ? fromUtf8.decode(data) : toBase64(data) };
}

/** Decodes a message. Throws `invalid-message` for a text that can't be read. */
export function decodeText(codecs: CodecRegistry, { typeName, contentType, text }: EncodedText): unknown {
  const isJson = bareContentType(contentType) === jsonContentType;
  return codecs.decode(typeName, contentType, isJson ? utf8.encode(text) : fromBase64(text));
}

/** Bytes that a message counts in the log of its run: two for each character, as memory holds them. */
export function bytesOf({ text }: EncodedText): number {
  return 2 * text.length + 64;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += step) text += String.fromCharCode(...bytes.subarray(at, at + step));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw new TroupeError("invalid-message", "The bytes of a message in a run must be base64.");
  }
}
