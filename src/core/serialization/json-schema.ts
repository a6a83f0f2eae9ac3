import type { StandardSchemaV1 } from "@standard-schema/spec";

/** A JSON Schema: an object of draft 2020-12. */
export type JsonSchemaObject = { readonly [keyword: string]: unknown };

/** Schema libraries that follow Standard JSON Schema make a JSON Schema of what they read. */
interface JsonSchemaConverter {
  input(options: { readonly target: string; readonly libraryOptions?: Record<string, unknown> }): unknown;
}

const target = "draft-2020-12";

/** Returns the JSON Schema of the values that a schema reads. Undefined: its library makes none, or can't for this schema. */
export function jsonSchemaOf(schema: StandardSchemaV1): JsonSchemaObject | undefined {
  const converter: unknown = Reflect.get(schema["~standard"], "jsonSchema");
  if (!isConverter(converter)) return undefined;
  // Zod refuses a schema with a date. Asked to, it leaves open what such a field may be.
  return made(converter, {}) ?? made(converter, { libraryOptions: { unrepresentable: "any" } });
}

function made(
  converter: JsonSchemaConverter,
  options: { readonly libraryOptions?: Record<string, unknown> },
): JsonSchemaObject | undefined {
  try {
    const schema = converter.input({ target, ...options });
    return isObject(schema) ? schema : undefined;
  } catch {
    return undefined;
  }
}

function isConverter(value: unknown): value is JsonSchemaConverter {
  return isObject(value) && typeof value.input === "function";
}

function isObject(value: unknown): value is JsonSchemaObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
