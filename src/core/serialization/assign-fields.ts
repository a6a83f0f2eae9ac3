/**
 * Gives an instance the fields of a message, whatever their names. A field may be named as a getter, a method or the `constructor`
 * of its class. Then the field hides it in this instance. A setter of the class takes its field. It throws what a setter throws.
 */
export function assignFields<T extends object>(prototype: T, fields: object): T {
  const instance: T = Object.create(prototype);
  try {
    return Object.assign(instance, fields);
  } catch {
    return assignOneByOne(prototype, fields);
  }
}

/** The slow way, for classes that do not let all fields be assigned. */
function assignOneByOne<T extends object>(prototype: T, fields: object): T {
  const instance: T = Object.create(prototype);
  for (const [name, value] of Object.entries(fields)) {
    if (setterOf(prototype, name)) Reflect.set(instance, name, value);
    else Object.defineProperty(instance, name, { value, writable: true, enumerable: true, configurable: true });
  }
  return instance;
}

function setterOf(prototype: object, name: string): boolean {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const property = Object.getOwnPropertyDescriptor(at, name);
    if (property !== undefined) return property.set !== undefined;
  }
  return false;
}
