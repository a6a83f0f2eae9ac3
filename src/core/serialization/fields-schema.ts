import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Creates a Standard Schema for a built-in message from a function that reads its fields. Drops other fields. */
export function fieldsSchema<Output extends object, Input = Output>(
  read: (fields: FieldReader) => Output,
): StandardSchemaV1<Input, Output> {
  return {
    "~standard": {
      version: 1,
      vendor: "troupe",
      validate: (value) => {
        const fields = new FieldReader(value);
        const output = read(fields);
        return fields.issues.length > 0 ? { issues: fields.issues } : { value: output };
      },
    },
  };
}

/** Reads the fields of an object and collects the issues. An invalid field reads as its fallback, or as empty. */
export class FieldReader {
  readonly issues: StandardSchemaV1.Issue[] = [];
  readonly #object: object;

  constructor(value: unknown) {
    const isObject = typeof value === "object" && value !== null;
    this.#object = isObject ? value : {};
    if (!isObject) this.issues.push({ message: "expected an object" });
  }

  text(name: string, fallback?: string): string {
    const value = this.#field(name);
    if (typeof value === "string") return value;
    if (value !== undefined || fallback === undefined) this.refuse(name, "expected text");
    return fallback ?? "";
  }

  /** Reads a whole number. */
  whole(name: string, fallback: number): number {
    const value = this.#field(name);
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    if (value !== undefined) this.refuse(name, "expected a whole number");
    return fallback;
  }

  flag(name: string): boolean {
    return this.flagOrNull(name) === true;
  }

  /** Reads a whole number from 0, such as a count. */
  count(name: string, fallback: number): number {
    const value = this.#field(name);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    if (value !== undefined) this.refuse(name, "expected a whole number from 0");
    return fallback;
  }

  textOrNull(name: string): string | null {
    return this.#field(name) === undefined || this.#field(name) === null ? null : this.text(name);
  }

  flagOrNull(name: string): boolean | null {
    const value = this.#field(name) ?? null;
    if (value === null || typeof value === "boolean") return value;
    this.refuse(name, "expected true, false or null");
    return null;
  }

  /** Reads a list; `read` parses each item. The issues of an item carry the list's name and the index. */
  list<Item>(name: string, read: (item: FieldReader, value: unknown) => Item): readonly Item[] {
    const value = this.#field(name);
    if (!Array.isArray(value)) {
      this.refuse(name, "expected a list");
      return [];
    }
    return value.map((element: unknown, index) => {
      const item = new FieldReader(typeof element === "string" ? {} : element);
      const output = read(item, element);
      for (const { path = [], message } of item.issues) this.issues.push({ path: [name, index, ...path], message });
      return output;
    });
  }

  /** Reads an object; `read` parses it. The issues of its fields carry the name. */
  object<Item>(name: string, read: (fields: FieldReader) => Item): Item {
    const fields = new FieldReader(this.#field(name));
    const output = read(fields);
    for (const { path = [], message } of fields.issues) this.issues.push({ path: [name, ...path], message });
    return output;
  }

  /** Returns a field as it is. */
  anything(name: string): unknown {
    return this.#field(name);
  }

  isNull(name: string): boolean {
    return this.#field(name) === null;
  }

  isList(name: string): boolean {
    return Array.isArray(this.#field(name));
  }

  refuse(name: string, message: string): void {
    this.issues.push({ path: [name], message });
  }

  #field(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? Reflect.get(this.#object, name) : undefined;
  }
}
