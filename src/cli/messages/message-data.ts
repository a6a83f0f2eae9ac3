import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { errorText, jsonContentType, loggableText, TroupeError, UnknownPayload } from "../../core/internal.ts";
import { formatJson, formatText } from "../printing.ts";

/** Flags about the content of a message. */
export interface DataFlags {
  readonly data: string;
  readonly contentType: string;
}

/**
 * Makes the message that `--data` has: JSON as it is, `@FILE` for a file, `-` for standard input. Throws `invalid-argument` for JSON that is
 * none.
 */
export function messageOf(type: string, { data, contentType }: DataFlags, read = readFileSync): UnknownPayload {
  const bytes = bytesOf(data, read);
  if (contentType === jsonContentType) assertJson(bytes, data);
  return new UnknownPayload(type, contentType, bytes);
}

function bytesOf(data: string, read: typeof readFileSync): Uint8Array {
  const isFile = data.startsWith("@");
  if (!isFile && data !== "-") return new TextEncoder().encode(data);
  const file = data.slice(1);
  try {
    return read(isFile ? file : 0);
  } catch (cause) {
    const where = isFile ? loggableText(file) : "Standard input";
    const text = `${where} can't be read: ${loggableText(errorText(cause))}. Write --data with JSON, @FILE or -.`;
    throw new TroupeError("invalid-argument", text, { cause });
  }
}

function assertJson(bytes: Uint8Array, data: string): void {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const text = `The data is not JSON: ${loggableText(errorText(cause))}.`;
    const advice =
      data.startsWith("{") || data.startsWith("@") || data === "-"
        ? ""
        : ` Did you mean a file? Write --data @${loggableText(data)}.`;
    throw new TroupeError("invalid-argument", `${text}${advice}`, { cause });
  }
}

/** An answer as a command prints it. */
export interface ShownAnswer {
  /** The type of the message. Null: the handler has answered with nothing. */
  readonly messageType: string | null;
  readonly contentType: string | null;
  /** The JSON. Null: the message has no JSON. */
  readonly data: unknown;
  /** The bytes of an answer that is not JSON, as base64. */
  readonly base64: string | null;
}

/** Shows what a handler has answered. */
export function shownAnswer(answer: unknown): ShownAnswer {
  if (!(answer instanceof UnknownPayload))
    return { messageType: null, contentType: null, data: answer ?? null, base64: null };
  const { typeName: messageType, dataContentType: contentType, payload } = answer;
  const data = contentType === jsonContentType ? parsed(payload) : undefined;
  if (data !== undefined) return { messageType, contentType, data, base64: null };
  return { messageType, contentType, data: null, base64: Buffer.from(payload).toString("base64") };
}

/** The answer alone: its JSON, or its bytes as base64. */
export function textOfAnswer({ data, base64 }: ShownAnswer): string {
  return base64 === null ? formatJson(data) : formatText(base64);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
