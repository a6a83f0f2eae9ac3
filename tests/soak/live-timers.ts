import { createHook } from "node:async_hooks";

/** Counts all timers of the process that wait, from now on: Node itself does not tell of those that keep no process alive. */
export class LiveTimers {
  readonly #ids = new Set<number>();

  constructor() {
    createHook({
      init: (id, type) => {
        if (type === "Timeout") this.#ids.add(id);
      },
      destroy: (id) => {
        this.#ids.delete(id);
      },
    }).enable();
  }

  get count(): number {
    return this.#ids.size;
  }
}
