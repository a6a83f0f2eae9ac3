import type { CallOccurrence, HostObserver, HostOccurrence } from "../../../src/host/index.ts";

/** A call that was answered, unless the test says otherwise. */
export function callOccurrence(about: Partial<CallOccurrence> = {}): HostOccurrence {
  const names = { callerId: "c", targetId: "t", targetType: "writer", targetKey: "k" };
  return { at: "call", outcome: "answered", ...names, code: undefined, ms: 1, traceId: undefined, ...about };
}

/** A host that tells its observers what a test makes happen. */
export class ObservedHost {
  readonly observers = new Set<HostObserver>();

  readonly observe = (observer: HostObserver): (() => void) => {
    this.observers.add(observer);
    return () => void this.observers.delete(observer);
  };

  readonly happen = (what: HostOccurrence): void => {
    for (const observer of this.observers) observer(what);
  };
}
