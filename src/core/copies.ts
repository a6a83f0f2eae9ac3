// A program may load this package twice: two versions side by side, a linked folder, a bundle beside node_modules. Objects of one
// copy reach functions of the other. Neither `instanceof` nor a variable of a module is the same in both.

/** Returns the symbol of a class. All copies of this package share it. */
function classKey(name: string): symbol {
  return Symbol.for(`troupe.${name}`);
}

type AnyClass = abstract new (...args: never[]) => object;

/**
 * Makes `instanceof` recognize instances that another copy of this package has made. Call it once, below the class. A subclass of
 * a user counts by its prototype alone.
 */
export function brandClass(theClass: AnyClass, name: string): void {
  const key = classKey(name);
  const { prototype } = theClass;
  const byPrototype = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(theClass, key, { value: true });
  Object.defineProperty(prototype, key, { value: true });
  Object.defineProperty(theClass, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this !== theClass) return byPrototype.call(this, value);
      if (typeof value !== "object" || value === null) return false;
      try {
        return Object.getPrototypeOf(value) === prototype || Reflect.get(value, key) === true;
      } catch {
        // A proxy whose traps throw, or that is revoked: what a handler throws may be anything.
        return false;
      }
    },
  });
}

/** Returns whether a value is this class itself, of whatever copy, or a subclass of it. */
export function isClass(value: unknown, name: string): boolean {
  return typeof value === "function" && Reflect.get(value, classKey(name)) === true;
}

/** Returns whether an object is the prototype of this class, of whatever copy. */
export function isPrototypeOfClass(object: object, name: string): boolean {
  return Object.hasOwn(object, classKey(name));
}

/** Returns one object for all copies of this package. The first copy that asks makes it. */
export function sharedByCopies<T>(name: string, make: () => T): T {
  const key = Symbol.for(`troupe.shared.${name}`);
  if (!Object.hasOwn(globalThis, key)) Object.defineProperty(globalThis, key, { value: make() });
  // Only this function sets the property.
  return Reflect.get(globalThis, key) as T;
}
