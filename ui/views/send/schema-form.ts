/** A JSON Schema, as a worker tells it: nothing in it is believed. */
export type Schema = { readonly [keyword: string]: unknown };

/** The input for a part of a message. */
export type Field =
  | { readonly kind: "text"; readonly isLong: boolean }
  | { readonly kind: "number"; readonly isWhole: boolean }
  /** One of some values. */
  | { readonly kind: "choice"; readonly values: readonly unknown[] }
  | { readonly kind: "list"; readonly item: Field }
  | { readonly kind: "object"; readonly members: readonly Member[] }
  /** JSON, where a form can't offer more. */
  | { readonly kind: "json" };

/** A named part of an object. */
export interface Member {
  readonly name: string;
  readonly title: string;
  readonly hint: string;
  readonly isRequired: boolean;
  readonly field: Field;
}

/** The texts that the fields of a form hold. */
export type Draft = string | Draft[] | { [name: string]: Draft };

/** Says what is missing in a draft, or wrong. */
export class DraftError extends Error {
  override readonly name = "DraftError";
}

/** A form has so many levels and members at most. What goes beyond is JSON. */
const most = { depth: 5, members: 60, choices: 200, references: 20 } as const;
/** In place of what is left out. */
const leftOut = Symbol("left out");

/** Returns the fields of a schema. */
export function fieldOf(schema: unknown, root: unknown = schema, depth = 0): Field {
  const found = resolved(schema, root);
  if (found === undefined || depth > most.depth) return { kind: "json" };
  const choices = choicesOf(found);
  if (choices !== undefined) return { kind: "choice", values: choices };
  const { properties, items, additionalProperties, type } = found;
  switch (typeIn(type)) {
    case "string":
      return { kind: "text", isLong: Number(found.maxLength ?? 0) > 200 };
    case "number":
    case "integer":
      return { kind: "number", isWhole: typeIn(type) === "integer" };
    case "boolean":
      return { kind: "choice", values: [true, false] };
    case "array":
      return isSchema(items) ? { kind: "list", item: fieldOf(items, root, depth + 1) } : { kind: "json" };
    case "object": {
      const named = isSchema(properties) ? Object.entries(properties) : [];
      // Members of any name, or too many of them, have no field of their own.
      if (named.length > most.members || isSchema(additionalProperties)) return { kind: "json" };
      const required = Array.isArray(found.required) ? found.required : [];
      return {
        kind: "object",
        members: named.map(([name, member]) =>
          memberOf(name, member, { root, depth, isRequired: required.includes(name) }),
        ),
      };
    }
    default:
      return { kind: "json" };
  }
}

/** A member that may be null is one that may be left out. */
function typeIn(type: unknown): unknown {
  if (!Array.isArray(type)) return type;
  const others = type.filter((one) => one !== "null");
  return others.length === 1 ? others[0] : undefined;
}

function memberOf(
  name: string,
  schema: unknown,
  { root, depth, isRequired }: { readonly root: unknown; readonly depth: number; readonly isRequired: boolean },
): Member {
  const { title, description } = resolved(schema, root) ?? {};
  const shown = typeof title === "string" && title !== "" ? title : name;
  const hint = typeof description === "string" ? description.slice(0, 300) : "";
  return { name, title: shown, hint, isRequired, field: fieldOf(schema, root, depth + 1) };
}

/** Follows references within the document, and takes the one form beside null. Undefined: there is nothing that can be read. */
function resolved(schema: unknown, root: unknown): Schema | undefined {
  let now: unknown = schema;
  for (let followed = 0; isSchema(now) && typeof now.$ref === "string"; followed += 1) {
    if (followed > most.references || !now.$ref.startsWith("#")) return undefined;
    now = now.$ref
      .split("/")
      .slice(1)
      .reduce<unknown>((part, name) => memberAt(part, name), root);
  }
  if (!isSchema(now)) return undefined;
  const unions = now.anyOf ?? now.oneOf;
  if (!Array.isArray(unions)) return now;
  const others = unions.filter((one) => !isSchema(one) || one.type !== "null");
  return others.length === 1 && unions.length === 2 ? resolved(others[0], root) : now;
}

function memberAt(part: unknown, name: string): unknown {
  const key = name.replaceAll("~1", "/").replaceAll("~0", "~");
  return isSchema(part) && Object.hasOwn(part, key) ? part[key] : undefined;
}

function choicesOf({ enum: values, const: only, anyOf, oneOf }: Schema): readonly unknown[] | undefined {
  if (only !== undefined) return [only];
  if (Array.isArray(values) && values.length > 0 && values.length <= most.choices) return values;
  const unions: unknown = anyOf ?? oneOf;
  if (!Array.isArray(unions) || unions.length === 0 || unions.length > most.choices) return undefined;
  const each = unions.map((one: unknown) => (isSchema(one) ? one.const : undefined));
  return each.every((one) => one !== undefined) ? each : undefined;
}

/** Returns the draft that shows a value. Undefined: an empty one. */
export function draftOf(field: Field, value?: unknown): Draft {
  switch (field.kind) {
    case "text":
      return typeof value === "string" ? value : "";
    case "number":
      return typeof value === "number" ? String(value) : "";
    case "choice": {
      const at = field.values.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
      return at < 0 ? "" : String(at);
    }
    case "list":
      return Array.isArray(value) ? value.map((item) => draftOf(field.item, item)) : [];
    case "object": {
      const given = isSchema(value) ? value : {};
      const draft: { [name: string]: Draft } = {};
      for (const { name, field: inner } of field.members) setOwn(draft, name, draftOf(inner, memberAt(given, name)));
      return draft;
    }
    case "json":
      return value === undefined ? "" : JSON.stringify(value);
  }
}

/** Returns the value that a form holds. Throws `DraftError` for what is missing or can't be read. */
export function messageOf(field: Field, draft: Draft): unknown {
  const value = read(field, draft, { path: "", isRequired: true });
  return value === leftOut ? {} : value;
}

function read(
  field: Field,
  draft: Draft,
  { path, isRequired }: { readonly path: string; readonly isRequired: boolean },
): unknown {
  const missing = (what: string): typeof leftOut => {
    if (isRequired) throw new DraftError(`${path || "The message"} needs ${what}.`);
    return leftOut;
  };
  switch (field.kind) {
    case "text":
      // A text that must be there may be empty.
      return draft === "" && !isRequired ? leftOut : draft;
    case "number": {
      if (draft === "") return missing("a number");
      const number = Number(draft);
      if (!Number.isFinite(number) || (field.isWhole && !Number.isInteger(number)))
        throw new DraftError(`${path} must be ${field.isWhole ? "a whole number" : "a number"}.`);
      return number;
    }
    case "choice": {
      if (draft !== "") return field.values[Number(draft)];
      const [only] = field.values;
      return isRequired && field.values.length === 1 ? only : missing("one of its values");
    }
    case "list": {
      const items = Array.isArray(draft) ? draft : [];
      if (items.length === 0 && !isRequired) return leftOut;
      return items.map((item, at) => read(field.item, item, { path: `${path}[${at}]`, isRequired: true }));
    }
    case "object": {
      const drafts: { readonly [name: string]: Draft } =
        typeof draft === "object" && !Array.isArray(draft) ? draft : {};
      if (!isRequired && isEmpty(drafts)) return leftOut;
      const value: { [name: string]: unknown } = {};
      for (const { name, field: inner, isRequired: isNeeded } of field.members) {
        const of = { path: path === "" ? name : `${path}.${name}`, isRequired: isNeeded };
        const one = read(inner, Object.hasOwn(drafts, name) ? (drafts[name] ?? "") : "", of);
        if (one !== leftOut) setOwn(value, name, one);
      }
      return value;
    }
    case "json":
      return draft === "" ? missing("a value, as JSON") : jsonIn(String(draft), path);
  }
}

/** Reads JSON. Throws `DraftError`. */
export function jsonIn(text: string, path = ""): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DraftError(`${path || "The message"} is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
}

function isEmpty(draft: Draft): boolean {
  if (typeof draft === "string") return draft === "";
  return Object.values(draft).every(isEmpty);
}

/** Sets a member of any name, `__proto__` too. */
function setOwn<Value>(object: { [name: string]: Value }, name: string, value: Value): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
