import { createHook } from "node:async_hooks";

let isCounting = true;

/** Waits by a timer that `LiveTimers` does not count: a look at what is left must not find itself. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    isCounting = false;
    try {
      setTimeout(resolve, ms);
    } finally {
      isCounting = true;
    }
  });
}

/** Counts all timers of the process that wait, from now on: Node itself does not tell of those that keep no process alive. */
export class LiveTimers {
  readonly #ids = new Set<number>();

  constructor() {
    createHook({
      init: (id, type) => {
        if (type === "Timeout" && isCounting) this.#ids.add(id);
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
