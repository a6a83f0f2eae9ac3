import { Buffer } from "node:buffer";
import { decodeFrame, metadataKey, type RequestFrame } from "../protocol/internal.ts";

/** Bytes of a payload that are shown. */
const shownBytes = 64 * 1024;

/** The call in a kept message. Undefined: the bytes are none. */
function callIn(frame: Uint8Array): RequestFrame | undefined {
  try {
    const decoded = decodeFrame(frame);
    return decoded.kind === "request" ? decoded : undefined;
  } catch {
    return undefined;
  }
}

/** The name of the type of a kept message; empty if it can't be read. */
export function messageTypeOf(frame: Uint8Array): string {
  return callIn(frame)?.payload?.typeName ?? "";
}

/** A kept message as people read it. */
export interface ShownMessage {
  readonly sender: { readonly type: string; readonly key: string } | null;
  /** The topic of an event, `type/source`. Null: the message is a call. */
  readonly topic: string | null;
  readonly messageType: string;
  readonly contentType: string;
  /** The payload: as a text if it is UTF-8. */
  readonly text?: string;
  readonly base64?: string;
  /** True: only the first 64 KiB are shown. */
  readonly isCut: boolean;
}

export function shownMessage(frame: Uint8Array): ShownMessage | null {
  const call = callIn(frame);
  if (call === undefined) return null;
  const { source, payload } = call;
  const sender = source === undefined ? null : { type: source.type, key: source.key };
  const data = payload?.data ?? new Uint8Array();
  const shown = data.subarray(0, shownBytes);
  const topic = call.metadata[metadataKey.topic] ?? null;
  const common = { sender, topic, messageType: payload?.typeName ?? "", contentType: payload?.contentType ?? "" };
  const isCut = data.length > shownBytes;
  try {
    // A cut may split a character at the end.
    return { ...common, text: new TextDecoder("utf-8", { fatal: true }).decode(shown, { stream: isCut }), isCut };
  } catch {
    return { ...common, base64: Buffer.from(shown).toString("base64"), isCut };
  }
}
