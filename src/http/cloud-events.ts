import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { bareContentType, jsonContentType, loggableUpTo } from "../core/internal.ts";
import { HttpProblem } from "./http-problem.ts";

/** A CloudEvent as a client has sent it. */
export interface ReceivedEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** JSON if the event names none. */
  readonly contentType: string;
  readonly data: Uint8Array;
  /** All other attributes: `subject`, `time`, `dataschema` and extensions. */
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * Attributes beside the required ones, and characters of one. While JSON is read, all other work of the process waits: 4 MiB may take 300 ms.
 * So an event in structured mode has at most `jsonBytes`, and longer data is not checked.
 */
const bounds = { attributes: 64, valueChars: 4_096, jsonBytes: 256 * 1024 } as const;

const structured = "application/cloudevents+json";
const required = ["id", "source", "specversion", "type"] as const;

/**
 * Reads a CloudEvent in binary or in structured mode (JSON). Throws a problem for one that is not complete or not valid. It also does so for a batch: its
 * events would have one answer, though each may be refused for itself.
 */
// CloudEvents 1.0.2, HTTP protocol binding 3.1, 3.2; JSON event format 3.
export function readCloudEvent(headers: IncomingHttpHeaders, body: Buffer): ReceivedEvent {
  const contentType = headers["content-type"] ?? "";
  const bare = bareContentType(contentType);
  if (bare === structured) return structuredEvent(body);
  if (bare.startsWith("application/cloudevents")) {
    const detail = `This host takes one CloudEvent in a request: in binary mode, or as ${structured}. It takes no batches and no other formats.`;
    throw new HttpProblem(415, "invalid-message", detail, { headers: { accept: structured } });
  }
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith("ce-") && typeof value === "string") attributes[name.slice(3)] = decodedHeader(name, value);
  if (Object.keys(attributes).length === 0)
    throw invalid(`The request has neither headers ce-… nor the content type ${structured}.`);
  return eventOf(attributes, { data: body, contentType: contentType === "" ? jsonContentType : contentType });
}

/** Returns the type of an event in binary mode, before its data is read. Undefined: its headers name none. */
export function typeInHeaders(headers: IncomingHttpHeaders): string | undefined {
  const type = headers["ce-type"];
  const isBinary = !bareContentType(headers["content-type"] ?? "").startsWith("application/cloudevents");
  return isBinary && typeof type === "string" ? decodedHeader("ce-type", type) : undefined;
}

function structuredEvent(body: Buffer): ReceivedEvent {
  if (body.length > bounds.jsonBytes) {
    const detail = `A CloudEvent in structured mode may have ${bounds.jsonBytes} bytes. Send a longer one in binary mode.`;
    throw new HttpProblem(413, "message-too-large", detail);
  }
  const fields = objectIn(body);
  const { data, data_base64: base64, datacontenttype = jsonContentType, ...rest } = fields;
  if (typeof datacontenttype !== "string") throw invalid("The content type of its data is not a text.");
  if (data !== undefined && base64 !== undefined) throw invalid("It has both data and data_base64.");
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(rest)) {
    // An attribute that is null is not there.
    if (value === null) continue;
    if (typeof value !== "string" && typeof value !== "boolean" && !Number.isInteger(value))
      throw invalid(`Its attribute ${shown(name)} is neither a text nor a whole number nor a boolean.`);
    attributes[name] = String(value);
  }
  return eventOf(attributes, { data: dataOf(data, base64, datacontenttype), contentType: datacontenttype });
}

function dataOf(data: unknown, base64: unknown, contentType: string): Uint8Array {
  if (base64 !== undefined) {
    if (typeof base64 !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
      throw invalid("Its data_base64 is not Base64.");
    return Buffer.from(base64, "base64");
  }
  if (data === undefined) return new Uint8Array();
  const isText = typeof data === "string" && !isJson(contentType);
  return Buffer.from(isText ? data : jsonOf(data));
}

function jsonOf(data: unknown): string {
  try {
    return JSON.stringify(data);
  } catch (cause) {
    throw new HttpProblem(400, "invalid-message", "The data of the CloudEvent is nested too deeply.", { cause });
  }
}

function objectIn(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new HttpProblem(400, "invalid-message", "The CloudEvent is not JSON.", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("It is not a JSON object.");
  return { ...value };
}

function eventOf(
  attributes: Readonly<Record<string, string>>,
  { data, contentType }: Pick<ReceivedEvent, "data" | "contentType">,
): ReceivedEvent {
  const names = Object.keys(attributes);
  if (names.length > bounds.attributes) throw invalid(`It has more than ${bounds.attributes} attributes.`);
  for (const name of names) {
    if (!/^[a-z0-9]{1,64}$/.test(name))
      throw invalid(`The name of an attribute has lower-case letters and digits alone: ${shown(name)}.`);
    // CloudEvents 1.0.2 §3.1: no control characters, code points without a character, half surrogates.
    if (/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(attributes[name] ?? ""))
      throw invalid(`Its attribute ${name} has a character that CloudEvents do not allow.`);
    if ((attributes[name] ?? "").length > bounds.valueChars)
      throw invalid(`Its attribute ${name} has more than ${bounds.valueChars} characters.`);
  }
  for (const name of required) if ((attributes[name] ?? "") === "") throw invalid(`It lacks the attribute ${name}.`);
  const { id = "", source = "", type = "", specversion, ...others } = attributes;
  if (specversion !== "1.0") throw invalid(`It has the version ${shown(specversion ?? "")}; this host takes 1.0.`);
  if (isJson(contentType) && data.length > 0 && data.length <= bounds.jsonBytes) assertJson(data);
  return { id, source, type, contentType, data, attributes: others };
}

function assertJson(data: Uint8Array): void {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch (cause) {
    throw new HttpProblem(400, "invalid-message", "The data of the CloudEvent is not JSON.", { cause });
  }
}

function isJson(contentType: string): boolean {
  return /^[^/]+\/(json|[^/]+\+json)$/.test(bareContentType(contentType));
}

/** Header values have other characters than visible ASCII percent-encoded. */
function decodedHeader(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (cause) {
    throw new HttpProblem(400, "invalid-message", `The header ${name} is not percent-encoded UTF-8.`, { cause });
  }
}

function shown(text: string): string {
  return loggableUpTo(100, text);
}

function invalid(text: string): HttpProblem {
  return new HttpProblem(400, "invalid-message", `The CloudEvent can't be taken. ${text}`);
}
