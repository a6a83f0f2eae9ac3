import { hashOf } from "../../cluster/internal.ts";
import {
  type AgentName,
  type DeadLetter,
  type DeadReason,
  type DurableMessage,
  type KeptMessage,
  textOfName,
} from "../../core/internal.ts";
import type { MsgHdrs } from "../driver.ts";

/** Headers as they are read, of a message that has come or was read. */
export interface HeaderReader {
  get(name: string): string;
}

/** A message of a stream. */
export interface StreamMessage {
  /** Its place in the stream. */
  readonly place: number;
  readonly headers: HeaderReader;
  readonly data: Uint8Array;
}

/** Characters of the text that says why a message became a dead letter. */
const longestReason = 4_000;

const names = {
  msgId: "Nats-Msg-Id",
  agent: "Troupe-Agent",
  id: "Troupe-Id",
  kind: "Troupe-Kind",
  sentAt: "Troupe-Sent-At",
  place: "Troupe-Place",
  takeovers: "Troupe-Takeovers",
  code: "Troupe-Code",
  reason: "Troupe-Reason",
  attempts: "Troupe-Attempts",
  diedAt: "Troupe-Died-At",
} as const;

/** Bytes of the names of a message's headers, and of the texts that always have the same length: the server's id, and the time. */
const fixedBytes = 124;

/** The id by which the server knows a message. An id is that of its mailbox alone, whatever its characters. */
export function mailIdOf(mailbox: AgentName, id: string): string {
  return hashOf(`${textOfName(mailbox)} ${id}`);
}

/** Writes the headers of a message for a mailbox. `msgId`: the server keeps one message of each within its window. */
export function writeMailHeaders(headers: MsgHdrs, msgId: string, mailbox: AgentName, message: DurableMessage): void {
  headers.set(names.msgId, msgId);
  writeMessage(headers, mailbox, message);
}

/** Writes the headers of a dead letter. */
export function writeLetterHeaders(
  headers: MsgHdrs,
  msgId: string,
  message: KeptMessage,
  { code, text, attempts }: DeadReason,
  diedAtMs: number,
): void {
  headers.set(names.msgId, msgId);
  writeMessage(headers, message.mailbox, message);
  headers.set(names.place, String(message.place));
  headers.set(names.takeovers, String(message.priorTakeovers));
  headers.set(names.code, code);
  headers.set(names.reason, encodeText(text.slice(0, longestReason)));
  headers.set(names.attempts, String(attempts));
  headers.set(names.diedAt, String(diedAtMs));
}

/** Reads the mailbox of a message. Undefined: Troupe has not written it. */
export function readMailbox(headers: HeaderReader): AgentName | undefined {
  const [type, key, ...others] = headers.get(names.agent).split("/").map(decodeText);
  return type === undefined || key === undefined || others.length > 0 ? undefined : { type, key };
}

/** Reads a message of a mailbox. Undefined: Troupe has not written it. */
export function readKept({ place, headers, data }: StreamMessage, priorTakeovers: number): KeptMessage | undefined {
  const mailbox = readMailbox(headers);
  const id = decodeText(headers.get(names.id));
  const kind = headers.get(names.kind);
  const sentAtMs = Number(headers.get(names.sentAt) || Number.NaN);
  if (mailbox === undefined || id === undefined || (kind !== "call" && kind !== "event")) return undefined;
  if (!Number.isFinite(sentAtMs)) return undefined;
  return { id, kind, frame: new Uint8Array(data), sentAtMs, mailbox, place, priorTakeovers };
}

/** Reads a dead letter. Undefined: Troupe has not written it. */
export function readLetter(message: StreamMessage): DeadLetter | undefined {
  const { headers, place } = message;
  const kept = readKept(message, Number(headers.get(names.takeovers)));
  const text = decodeText(headers.get(names.reason));
  if (kept === undefined || text === undefined) return undefined;
  // What `writeLetterHeaders` has written.
  const code = headers.get(names.code) as DeadReason["code"];
  return {
    ...kept,
    place: Number(headers.get(names.place)),
    letter: String(place),
    why: { code, text, attempts: Number(headers.get(names.attempts)) },
    diedAtMs: Number(headers.get(names.diedAt)),
  };
}

/** Bytes of a message whose headers alone were read. */
export function sizeIn(headers: HeaderReader): number {
  return Number(headers.get("Nats-Msg-Size") || 0);
}

/** Bytes of the headers of a message, without those whose length is always the same. */
export function headerBytes({ type, key }: AgentName, { id, kind }: Pick<DurableMessage, "id" | "kind">): number {
  return encodeText(type).length + 1 + encodeText(key).length + encodeText(id).length + kind.length + fixedBytes;
}

/** The same of headers that were read. */
export function headerBytesIn(headers: HeaderReader): number {
  const texts = [names.agent, names.id, names.kind].map((name) => headers.get(name));
  return texts.reduce((sum, text) => sum + text.length, fixedBytes);
}

/** Reads headers as `STREAM.MSG.GET` has them. */
export function parseHeaders(base64: string | undefined): HeaderReader {
  const found = new Map<string, string>();
  const text = base64 === undefined ? "" : Buffer.from(base64, "base64").toString("utf8");
  for (const line of text.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) found.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { get: (name) => found.get(name) ?? "" };
}

function writeMessage(headers: MsgHdrs, { type, key }: AgentName, { id, kind, sentAtMs }: DurableMessage): void {
  headers.set(names.agent, `${encodeText(type)}/${encodeText(key)}`);
  headers.set(names.id, encodeText(id));
  headers.set(names.kind, kind);
  headers.set(names.sentAt, String(sentAtMs));
}

/** Any text as one that a header may have. */
function encodeText(text: string): string {
  // Half of a surrogate pair has no UTF-8.
  return encodeURIComponent(Buffer.from(text, "utf8").toString("utf8"));
}

function decodeText(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
