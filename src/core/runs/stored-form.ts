import { AgentId } from "../agents/agent-id.ts";
import type { MessageMetadata } from "../delivery/message-metadata.ts";
import { TroupeError } from "../errors.ts";
import type { EncodedText } from "./encoded-text.ts";
import type { RunEnd } from "./run-log.ts";

// protocol.md §11.24
/** The beginning of a run, without what a store reads of it. */
export interface StoredStart {
  readonly message: EncodedText;
  readonly sender: AgentId | undefined;
  readonly metadata: MessageMetadata;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();
const lineEnd = 10;

/** Writes a head as JSON in one line, and a text behind it as it is. JSON has no line ends but escaped ones. */
function toBytes(head: unknown, text: string): Uint8Array {
  return utf8.encode(`${JSON.stringify(head)}\n${text}`);
}

function fromBytes(bytes: Uint8Array): { readonly head: unknown; readonly text: string } {
  const at = bytes.indexOf(lineEnd);
  try {
    const head: unknown = JSON.parse(fromUtf8.decode(bytes.subarray(0, Math.max(0, at))));
    return { head, text: fromUtf8.decode(bytes.subarray(at + 1)) };
  } catch {
    throw unreadable();
  }
}

export function encodeStart({ message, sender, metadata }: StoredStart): Uint8Array {
  const { typeName, contentType, text } = message;
  return toBytes([typeName, contentType, sender?.toString() ?? "", metadata], text);
}

/** Throws `state-unreadable` for other bytes. */
export function decodeStart(bytes: Uint8Array): StoredStart {
  const { head, text } = fromBytes(bytes);
  const [typeName, contentType, sender, metadata] = Array.isArray(head) ? head : [];
  if (typeof typeName !== "string" || typeof contentType !== "string" || typeof sender !== "string") throw unreadable();
  if (!isMetadata(metadata)) throw unreadable();
  const from = sender === "" ? undefined : AgentId.parse(sender);
  return { message: { typeName, contentType, text }, sender: from, metadata };
}

function isMetadata(value: unknown): value is MessageMetadata {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "string");
}

export function encodeChunk({ typeName, contentType, text }: EncodedText): Uint8Array {
  return toBytes([typeName, contentType], text);
}

/** Throws `state-unreadable` for other bytes. */
export function decodeChunk(bytes: Uint8Array): EncodedText {
  const { head, text } = fromBytes(bytes);
  const [typeName, contentType] = Array.isArray(head) ? head : [];
  if (typeof typeName !== "string" || typeof contentType !== "string") throw unreadable();
  return { typeName, contentType, text };
}

/** Writes the answer, or the code and the text of the error. */
export function encodeOutcome(end: RunEnd): Uint8Array {
  if (end.status === "completed") return encodeChunk(end.answer);
  return toBytes([end.code], end.text);
}

/** Throws `state-unreadable` for other bytes. */
export function decodeOutcome(status: RunEnd["status"], bytes: Uint8Array): RunEnd {
  if (status === "completed") return { status, answer: decodeChunk(bytes) };
  const { head, text } = fromBytes(bytes);
  const [code] = Array.isArray(head) ? head : [];
  if (typeof code !== "string") throw unreadable();
  return { status, code, text };
}

function unreadable(): TroupeError {
  return new TroupeError("state-unreadable", "The store has bytes of a run that this version does not read.");
}
