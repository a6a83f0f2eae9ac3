import { brandOf } from "./message-index.ts";

/**
 * Returns the part of a message that JSON would drop or change, with its path; undefined if there is none. Call it
 * after `JSON.stringify`, which excludes cycles. The message itself may be an instance of a class, because it was
 * declared.
 */
export function findLoss(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null || Array.isArray(message)) return lossOf(message, "");
  if (writesItself(message)) return lossInWritten(message, "");
  return foreignKind(message) ?? lossInOwn(message, "");
}

/** Returns the part of a value on which `JSON.stringify` fails, with its path: a bigint, or a cycle. Undefined: none was found. */
export function findStop(value: unknown): string | undefined {
  return stopIn(value, "", new Map());
}

/** `above`: the objects on the way here, with their paths. */
function stopIn(value: unknown, path: string, above: Map<object, string>): string | undefined {
  if (typeof value === "bigint") return `a bigint${at(path)}`;
  if (typeof value !== "object" || value === null) return undefined;
  const before = above.get(value);
  if (before !== undefined) return `a reference back to ${before === "" ? "the whole" : before}${at(path)}`;
  if (writesItself(value)) return undefined;
  above.set(value, path);
  for (const [key, field] of Object.entries(value)) {
    const place = Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    const stop = stopIn(field, place, above);
    if (stop !== undefined) return stop;
  }
  above.delete(value);
  return undefined;
}

/** Whether the own fields of an object below the top show its whole content. */
export function isShownByFields(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  // Plain objects of another realm, and messages created by their type.
  return Object.getPrototypeOf(prototype) === null || brandOf(value) !== undefined;
}

function lossOf(value: unknown, path: string): string | undefined {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? undefined : `${value}${at(path)}`;
    case "bigint":
    case "function":
    case "symbol":
      return `a ${typeof value}${at(path)}`;
    case "object":
      return value === null ? undefined : lossIn(value, path);
    default:
      return undefined;
  }
}

function lossIn(value: object, path: string): string | undefined {
  if (Array.isArray(value)) return lossInList(value, path);
  if (writesItself(value)) return lossInWritten(value, path);
  if (isShownByFields(value)) return lossInOwn(value, path);
  const kind = foreignKind(value);
  if (kind !== undefined) return `${kind}${at(path)}`;
  return `an instance of ${classNameOf(value)}${at(path)}`;
}

/** Looks at what the value's own `toJSON` gives as at any other value. JSON does not call `toJSON` of that again. */
function lossInWritten(value: WritesItself, path: string): string | undefined {
  const kind = foreignKind(value);
  if (kind !== undefined) return `${kind}${at(path)}`;
  // The usual case: a date is written as its text.
  if (isDate(value)) return undefined;
  const written: unknown = value.toJSON(path.slice(path.lastIndexOf(".") + 1));
  if (typeof written !== "object" || written === null) return lossOf(written, path);
  if (written === value) return lossInOwn(value, path);
  if (Array.isArray(written)) return lossInList(written, path);
  const lost =
    foreignKind(written) ?? (isShownByFields(written) ? undefined : `an instance of ${classNameOf(written)}`);
  return lost === undefined ? lossInOwn(written, path) : `${lost}${at(path)}`;
}

function lossInList(list: readonly unknown[], path: string): string | undefined {
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    if (isSafe(item)) continue;
    const loss = item === undefined ? `undefined${at(`${path}[${index}]`)}` : lossOf(item, `${path}[${index}]`);
    if (loss !== undefined) return loss;
  }
  return undefined;
}

function lossInOwn(value: object, path: string): string | undefined {
  if (!hasFields(value)) return undefined;
  for (const key in value) {
    const field = value[key];
    if (isSafe(field) || !Object.hasOwn(value, key)) continue;
    const loss = lossOf(field, path === "" ? key : `${path}.${key}`);
    if (loss !== undefined) return loss;
  }
  return undefined;
}

/** Whether a value writes itself as dates do. */
export function isDate(value: WritesItself): boolean {
  return value.toJSON === Date.prototype.toJSON;
}

/** Returns the kind of a built-in object whose content JSON does not write. */
export function foreignKind(value: object): string | undefined {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Map || value instanceof Set) {
    return `a ${classNameOf(value)}`;
  }
  return value instanceof Date && Number.isNaN(value.getTime()) ? "an invalid Date" : undefined;
}

interface WritesItself {
  toJSON(key: string): unknown;
}

export function writesItself(value: object): value is WritesItself {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** Returns the name of a value's class. A field may be named `constructor`. */
function classNameOf(value: object): string {
  const { constructor: maker }: { readonly constructor?: unknown } = Object.getPrototypeOf(value) ?? {};
  return typeof maker === "function" && maker.name !== "" ? maker.name : "a class";
}

/** The usual values, checked without creating a path. */
function isSafe(value: unknown): boolean {
  return (
    typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))
  );
}

function hasFields(value: object): value is { readonly [name: string]: unknown } {
  return value !== null;
}

function at(path: string): string {
  return path === "" ? "" : ` (at ${path})`;
}
