import { Buffer } from "node:buffer";
import type { HandledType, JsonSchemaObject } from "../../core/internal.ts";

// protocol.md §11.8
/** A message type that the agents of a type take, as their worker tells it. */
export interface ToldMessage {
  readonly name: string;
  readonly contentType: string;
  /** Whether it comes as a call, as an event or as both. */
  readonly takes: HandledType["takes"];
  /** The name of the message that answers a call. Undefined: its type names none. */
  readonly answer: string | undefined;
  /** The JSON Schema of its JSON. Undefined: there is none, or it is too long. */
  readonly schema: JsonSchemaObject | undefined;
}

/** Bounds of what a worker tells: bytes of all and of one schema, and messages. A name is as long as a host takes it. */
const most = { bytes: 256 * 1024, schemaBytes: 32 * 1024, messages: 200, nameChars: 1_024 } as const;

/** Writes message types as JSON. Leaves out schemas, and then message types, for which there is no space. */
export function formatToldMessages(types: readonly HandledType[]): string {
  const texts: string[] = [];
  let bytes = 2;
  for (const { type, takes } of types.slice(0, most.messages)) {
    const { typeName: name, contentType, answer } = type;
    const about = { name, contentType, takes, ...(answer !== undefined && { answer: answer.typeName }) };
    const schema = schemaText(type.jsonSchema);
    const bare = JSON.stringify(about);
    const whole = schema === undefined ? bare : `${bare.slice(0, -1)},"schema":${schema}}`;
    const left = most.bytes - bytes;
    const text = Buffer.byteLength(whole) < left ? whole : bare;
    const length = Buffer.byteLength(text);
    if (length >= left) break;
    bytes += length + 1;
    texts.push(text);
  }
  return `[${texts.join(",")}]`;
}

function schemaText(jsonSchema: (() => JsonSchemaObject | undefined) | undefined): string | undefined {
  try {
    const text = JSON.stringify(jsonSchema?.());
    return text === undefined || Buffer.byteLength(text) > most.schemaBytes ? undefined : text;
  } catch {
    // A message type of the user's own may throw, or make what JSON can't say.
    return undefined;
  }
}

/** Reads what a worker tells. Undefined: it can't be read, or is longer than a worker of Troupe's writes. */
export function readToldMessages(text: string): readonly ToldMessage[] | undefined {
  if (Buffer.byteLength(text) > most.bytes) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(list) || list.length > most.messages) return undefined;
  const told = list.map(toldMessage);
  return told.every((one) => one !== undefined) ? told : undefined;
}

function toldMessage(value: unknown): ToldMessage | undefined {
  if (!isRecord(value)) return undefined;
  const { name, contentType, takes, answer, schema } = value;
  if (!isName(name) || !isName(contentType)) return undefined;
  if (takes !== "call" && takes !== "event" && takes !== "message") return undefined;
  return {
    ...{ name, contentType, takes, answer: isName(answer) ? answer : undefined },
    schema: isRecord(schema) ? schema : undefined,
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= most.nameChars;
}

function isRecord(value: unknown): value is JsonSchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
