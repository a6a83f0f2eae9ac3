import { isPrototypeOfClass } from "../copies.ts";
import { UnknownPayload } from "./built-in-messages.ts";
import { type MessageIdentity, type MessageType, messageTypeKey } from "./message-type.ts";

/** The type that a value carries itself, if `defineMessage` made it. */
export function brandOf(value: unknown): MessageType | undefined {
  return typeof value === "object" && value !== null && isBranded(value) ? value[messageTypeKey] : undefined;
}

function isBranded(value: object): value is { readonly [messageTypeKey]: MessageType } {
  return messageTypeKey in value;
}

/**
 * Maps message types to entries, and finds the entry of a value in one step. Branded and tagged values are found by
 * name, instances of classes by their exact prototype.
 */
export class MessageIndex<Entry> {
  readonly #byBrand = new Map<string, Entry>();
  readonly #byPrototype = new Map<object, Entry>();
  /** One map per tag property; in practice at most one (`$typeName`). */
  readonly #byTag: { readonly property: string; readonly entries: Map<string, Entry> }[] = [];
  #forAbsence: Entry | undefined;

  /** Returns the entry for the type of this value. */
  find(value: unknown): Entry | undefined {
    if (value === undefined || value === null) return this.#forAbsence;
    if (typeof value !== "object") return undefined;
    const brand = brandOf(value);
    if (brand !== undefined) return this.#byBrand.get(brand.typeName);
    if (this.#byPrototype.size > 0) {
      const entry = this.#byPrototype.get(Object.getPrototypeOf(value));
      if (entry !== undefined) return entry;
      if (value instanceof UnknownPayload) return this.#byPrototype.get(UnknownPayload.prototype);
    }
    for (const { property, entries } of this.#byTag) {
      const tag = Reflect.get(value, property);
      if (typeof tag === "string") return entries.get(tag);
    }
    return undefined;
  }

  /** Returns the entry for this type. */
  get(type: MessageType): Entry | undefined {
    const identity = type.identity;
    switch (identity.by) {
      case "brand":
        return this.#byBrand.get(type.typeName);
      case "prototype":
        return this.#byPrototype.get(ownPrototype(identity.prototype));
      case "tag":
        return this.#tagged(identity)?.get(identity.value);
      case "absence":
        return this.#forAbsence;
    }
  }

  set(type: MessageType, entry: Entry): void {
    const identity = type.identity;
    switch (identity.by) {
      case "brand":
        this.#byBrand.set(type.typeName, entry);
        return;
      case "prototype":
        this.#byPrototype.set(ownPrototype(identity.prototype), entry);
        return;
      case "tag": {
        const entries = this.#tagged(identity) ?? new Map<string, Entry>();
        if (entries.size === 0) this.#byTag.push({ property: identity.property, entries });
        entries.set(identity.value, entry);
        return;
      }
      case "absence":
        this.#forAbsence = entry;
        return;
    }
  }

  #tagged(identity: MessageIdentity & { readonly by: "tag" }): Map<string, Entry> | undefined {
    return this.#byTag.find(({ property }) => property === identity.property)?.entries;
  }
}

/** Returns the prototype in this copy of the package, for the one class of the package whose instances are messages. */
function ownPrototype(prototype: object): object {
  return isPrototypeOfClass(prototype, "UnknownPayload") ? UnknownPayload.prototype : prototype;
}

/** Returns the name of a value's type, for texts and telemetry. For an undeclared class it is the name of the class. */
export function messageTypeText(value: unknown): string {
  if (value === undefined || value === null) return "NoneType";
  if (typeof value !== "object") return typeof value;
  const brand = brandOf(value);
  if (brand !== undefined) return brand.typeName;
  if (value instanceof UnknownPayload) return `UnknownPayload (${value.typeName})`;
  const tag = "$typeName" in value ? value.$typeName : undefined;
  return typeof tag === "string" ? tag : (value.constructor?.name ?? "object");
}
