/** A JSON Schema (2020-12), as OpenAPI 3.1 has them. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | null)[];
  readonly const?: string | boolean;
  readonly minimum?: number;
  readonly pattern?: string;
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

export const text: JsonSchema = { type: "string" };
export const flag: JsonSchema = { type: "boolean" };
/** A whole number that is not negative. */
export const count: JsonSchema = { type: "integer", minimum: 0 };
export const amount: JsonSchema = { type: "number" };
export const texts: JsonSchema = { type: "array", items: text };
export const time: JsonSchema = { type: "string", description: "An ISO 8601 time in UTC, or `never`." };

export function word(...words: readonly string[]): JsonSchema {
  return { type: "string", enum: words };
}

export function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: "null" }] };
}

export function listOf(items: JsonSchema): JsonSchema {
  return { type: "array", items };
}

export function mapOf(values: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: values };
}

/** Refers to a schema of the document. */
export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** An object that has these fields and no others. Those in `optional` may be missing. */
export function object(
  required: { readonly [name: string]: JsonSchema },
  optional: { readonly [name: string]: JsonSchema } = {},
): JsonSchema {
  const properties = { ...required, ...optional };
  return { type: "object", properties, required: Object.keys(required), additionalProperties: false };
}

/** A page of a list. */
export function pageOf(row: JsonSchema, more: { readonly [name: string]: JsonSchema } = {}): JsonSchema {
  const next = { ...nullable(text), description: "The `after` of the next page. Null: this is the last one." };
  return object({ rows: listOf(row), next, ...more });
}
