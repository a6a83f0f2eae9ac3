import { brandOf } from "./message-index.ts";

/**
 * Returns the part of a message that JSON would drop or change, with its path; undefined if there is none. Call it
 * after `JSON.stringify`, which excludes cycles. The message itself may be an instance of a class, because it was
 * declared.
 */
export function findLoss(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null || Array.isArray(message)) return lossOf(message, "");
  return foreignKind(message) ?? lossInOwn(message, "");
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
  if (isShownByFields(value)) return lossInOwn(value, path);
  const kind = foreignKind(value);
  if (kind !== undefined) return `${kind}${at(path)}`;
  return writesItself(value) ? undefined : `an instance of ${value.constructor?.name || "a class"}${at(path)}`;
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
  if (writesItself(value) || !hasFields(value)) return undefined;
  for (const key in value) {
    const field = value[key];
    if (isSafe(field) || !Object.hasOwn(value, key)) continue;
    const loss = lossOf(field, path === "" ? key : `${path}.${key}`);
    if (loss !== undefined) return loss;
  }
  return undefined;
}

/** Returns the kind of a built-in object whose content JSON does not write. */
function foreignKind(value: object): string | undefined {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Map || value instanceof Set) {
    return `a ${value.constructor.name}`;
  }
  return value instanceof Date && Number.isNaN(value.getTime()) ? "an invalid Date" : undefined;
}

function writesItself(value: object): boolean {
  return "toJSON" in value && typeof value.toJSON === "function";
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
