// Taken when the module loads. Fake timers of a test replace the global functions later, and sockets do not wait for them.
export const { setTimeout, clearTimeout, setImmediate, queueMicrotask } = globalThis;

/** Node's own `process.nextTick`. */
export const { nextTick } = process;

const clock = globalThis.performance;

/** Returns milliseconds that never decrease. */
export function nowMs(): number {
  return clock.now();
}
