import { TroupeError } from "../errors.ts";
import { nearestName } from "./nearest-name.ts";

/**
 * Checks an object whose known methods are all optional and begin with `on`, so that a wrong name does not pass for none. Throws
 * `invalid-argument` for a method whose name begins so too and is near a known one that the object lacks. `subject` begins the
 * text.
 */
export function assertKnownMethods(value: object, known: readonly string[], subject: string): void {
  const lacking = known.filter((name) => Reflect.get(value, name) === undefined);
  if (lacking.length === 0) return;
  for (const name of methodNames(value)) {
    if (known.includes(name) || !/^_?on/i.test(name)) continue;
    const meant = nearestName(name, lacking);
    if (meant === undefined) continue;
    const text = `${subject} has a method ${JSON.stringify(name)}, which is never called. Did you mean ${meant}?`;
    throw new TroupeError("invalid-argument", text);
  }
}

/** The names of the methods of an object and of its classes. */
function* methodNames(value: object): IterableIterator<string> {
  for (
    let owner: object | null = value;
    owner !== null && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner)
  ) {
    for (const [name, { value: member }] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
      if (typeof member === "function" && name !== "constructor") yield name;
    }
  }
}
